import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import type { CaseFigures } from "./report";
import type { Invariant } from "./tally";

const root = resolve(__dirname, "../..");

interface Kept {
  /** Hash of the product that the cases were run on. */
  readonly product: string;
  readonly minutes: number;
  readonly cases: readonly CaseFigures[];
  readonly checks: Readonly<Partial<Record<Invariant, number>>>;
}

/** What a whole run has passed so far, so that one that was cut, or whose own mistakes were mended, can go on. */
export class Journal {
  private readonly file = join(root, ".local", "faults.json");
  private readonly product = productHash();

  /** What an earlier run passed on the same product. */
  read(): Omit<Kept, "product"> {
    const kept = existsSync(this.file) ? (JSON.parse(readFileSync(this.file, "utf8")) as Kept) : undefined;
    return kept?.product === this.product ? kept : { minutes: 0, cases: [], checks: {} };
  }

  write(minutes: number, cases: readonly CaseFigures[], checks: ReadonlyMap<Invariant, number>): void {
    const kept: Kept = { product: this.product, minutes, cases, checks: Object.fromEntries(checks) };
    mkdirSync(join(root, ".local"), { recursive: true });
    writeFileSync(`${this.file}.new`, JSON.stringify(kept));
    renameSync(`${this.file}.new`, this.file);
  }
}

/** Hash of all that is not tests or docs: what the cases are about. */
function productHash(): string {
  const args = ["-C", root, "ls-files", "-co", "--exclude-standard", "-z", ":!test", ":!docs", ":!*.md", ":!.ci"];
  const hash = createHash("sha256");
  for (const path of execFileSync("git", args, { encoding: "utf8" }).split("\0")) {
    if (path !== "" && existsSync(join(root, path))) hash.update(`${path}\0`).update(readFileSync(join(root, path)));
  }
  return hash.digest("hex");
}
