import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";

const root = resolve(__dirname, "../..");

/** What a long run has passed so far, so that one that was cut, or whose own mistakes were mended, can go on. */
export class Journal<T> {
  private readonly file: string;
  private readonly product = productHash();

  /** @param name of the suite */
  constructor(name: string) {
    this.file = join(root, ".local", `${name}.json`);
  }

  /** What was written last on the same product. */
  read(): T | undefined {
    if (!existsSync(this.file)) return undefined;
    const { product, kept } = JSON.parse(readFileSync(this.file, "utf8")) as { product: string; kept: T };
    return product === this.product ? kept : undefined;
  }

  write(kept: T): void {
    mkdirSync(join(root, ".local"), { recursive: true });
    writeFileSync(`${this.file}.new`, JSON.stringify({ product: this.product, kept }));
    renameSync(`${this.file}.new`, this.file);
  }
}

/** Hash of all that is not tests or docs: what the runs are about. */
function productHash(): string {
  const args = ["-C", root, "ls-files", "-co", "--exclude-standard", "-z", ":!test", ":!docs", ":!*.md", ":!.ci"];
  const hash = createHash("sha256");
  for (const path of execFileSync("git", args, { encoding: "utf8" }).split("\0")) {
    if (path !== "" && existsSync(join(root, path))) hash.update(`${path}\0`).update(readFileSync(join(root, path)));
  }
  return hash.digest("hex");
}
