import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { localFolder } from "../../../plan/paths";
import type { Target } from "./targets";

/** Which notices of a stack were sent from this machine: by what was told and to whom, when. */
export class Memory {
  private readonly file: string;

  constructor(stack: string, folder = join(localFolder(), "notified")) {
    mkdirSync(folder, { recursive: true });
    this.file = join(folder, `${encodeURIComponent(stack)}.json`);
  }

  has(what: string, target: Target): boolean {
    return this.read()[keyOf(what, target)] !== undefined;
  }

  add(what: string, target: Target): void {
    // Written whole or not at all: another command may read it meanwhile.
    const temporary = `${this.file}.${process.pid}`;
    const sent = { ...this.read(), [keyOf(what, target)]: new Date().toISOString() };
    writeFileSync(temporary, `${JSON.stringify(sent, null, 2)}\n`, { mode: 0o600 });
    renameSync(temporary, this.file);
  }

  private read(): Record<string, string> {
    if (!existsSync(this.file)) return {};
    try {
      return JSON.parse(readFileSync(this.file, "utf8")) as Record<string, string>;
    } catch {
      return {};
    }
  }
}

/** A target is told by a hash: its address is a secret, and another one is to be told anew. */
function keyOf(what: string, { kind, url, mail }: Target): string {
  const target = createHash("sha256")
    .update(`${kind} ${url} ${mail?.to ?? ""}`)
    .digest("hex")
    .slice(0, 12);
  return `${what} → ${target}`;
}
