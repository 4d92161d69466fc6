import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

const root = resolve(__dirname, "../..");

/**
 * A folder with the scripts of the workflows and a bootstrap that does nothing: it notes its arguments, and ends with 1
 * where $FAILING, a regular expression, matches them and their number (`wait .*#2`: the second call, of wait).
 */
export class NotingProject {
  readonly folder = mkdtempSync(join(tmpdir(), "lambda-train-"));
  private readonly notes = join(this.folder, "calls");

  constructor() {
    cpSync(join(root, "scripts/ci"), join(this.folder, "scripts/ci"), { recursive: true });
    cpSync(join(root, "package.json"), join(this.folder, "package.json"));
    mkdirSync(join(this.folder, "engine"));
    this.bootstrap(`import { appendFileSync, readFileSync } from "node:fs";
      appendFileSync("calls", JSON.stringify(process.argv.slice(2)) + "\\n");
      const number = readFileSync("calls", "utf8").trim().split("\\n").length;
      console.log("call " + number);
      const { FAILING } = process.env;
      process.exitCode = FAILING && new RegExp(FAILING).test(process.argv.slice(2).join(" ") + " #" + number) ? 1 : 0;`);
    this.stack("gpu", "  lambda-train:instanceTypes: [gpu_1x_a10]\n");
    this.stack("dev", "  lambda-train:endpoint: emulated\n");
  }

  /** Writes the file of a stack. */
  stack(name: string, config: string): void {
    writeFileSync(join(this.folder, `Pulumi.${name}.yaml`), `config:\n${config}`);
  }

  /** Replaces the bootstrap. */
  bootstrap(text: string): void {
    writeFileSync(join(this.folder, "engine/bootstrap.mjs"), text);
  }

  /** The arguments of each call so far; forgets them. */
  calls(): string[][] {
    if (!existsSync(this.notes)) return [];
    const lines = readFileSync(this.notes, "utf8").trim().split("\n");
    rmSync(this.notes);
    return lines.map((line) => JSON.parse(line) as string[]);
  }

  dispose(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
