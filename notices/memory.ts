import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { readJson } from "../local/json";
import { localFolder } from "../local/paths";
import type { Target } from "./targets";

/**
 * Which notices of a stack were sent from this machine: by what was told, of which instance, and to whom, when. What was
 * told under another name of the stack counts as well.
 */
export class Memory {
  private readonly file: string;

  constructor(
    stack: string,
    private readonly folder = join(localFolder(), "notified"),
  ) {
    mkdirSync(folder, { recursive: true });
    this.file = join(folder, `${encodeURIComponent(stack)}.json`);
  }

  has(what: string, target: Target): boolean {
    const key = keyOf(what, target);
    const files = readdirSync(this.folder).filter((name) => name.endsWith(".json"));
    return files.some((name) => read(join(this.folder, name))[key] !== undefined);
  }

  add(what: string, target: Target): void {
    // Written whole or not at all: another command may read it meanwhile.
    const temporary = `${this.file}.${process.pid}`;
    const sent = { ...read(this.file), [keyOf(what, target)]: new Date().toISOString() };
    writeFileSync(temporary, `${JSON.stringify(sent, null, 2)}\n`, { mode: 0o600 });
    renameSync(temporary, this.file);
  }
}

function read(file: string): Record<string, string> {
  return (readJson(file) as Record<string, string> | undefined) ?? {};
}

/** A hash identifies a target: its address is a secret, and another address gets its messages again. */
function keyOf(what: string, { kind, url, mail }: Target): string {
  const target = createHash("sha256")
    .update(`${kind} ${url} ${mail?.to ?? ""}`)
    .digest("hex")
    .slice(0, 12);
  return `${what} → ${target}`;
}
