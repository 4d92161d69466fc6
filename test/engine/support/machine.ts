import { execFile } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { pathToFileURL } from "node:url";
import { root } from "./plugin";

export interface Ended {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** A machine of its own for the bootstrap: home, cache and local folder are empty, PATH has what a test puts there. */
export class Machine {
  readonly folder = mkdtempSync(join(tmpdir(), "lambda-train-bootstrap-"));
  readonly env: NodeJS.ProcessEnv = {
    HOME: this.path("home"),
    LAMBDA_TRAIN_CACHE: this.path("cache"),
    LAMBDA_TRAIN_LOCAL: this.path("local"),
    PATH: [this.path("bin"), "/usr/bin", "/bin"].join(delimiter),
  };

  constructor() {
    for (const name of ["home", "bin"]) mkdirSync(this.path(name));
  }

  path(...names: string[]): string {
    return join(this.folder, ...names);
  }

  /** Runs Node.js there. */
  node(args: readonly string[], more: NodeJS.ProcessEnv = {}): Promise<Ended> {
    const options = { cwd: this.folder, env: { ...this.env, ...more }, timeout: 60_000 };
    return new Promise((done) => {
      execFile(process.execPath, args, options, (error, out, err) =>
        done({ code: typeof error?.code === "number" ? error.code : error ? -1 : 0, out, err }),
      );
    });
  }

  /** What one of the bootstrap's modules makes of an expression over its exports (`m`). */
  async evaluate(module: string, expression: string, more: NodeJS.ProcessEnv = {}): Promise<unknown> {
    const code = `${importOf(module)} console.log(JSON.stringify(await (${expression}) ?? null));`;
    const { out, err } = await this.node(["--input-type=module", "-e", code], more);
    if (out === "") throw new Error(err);
    return JSON.parse(out);
  }

  /** Puts a shell script somewhere, on PATH unless said otherwise. */
  program(name: string, text: string, folder = "bin"): string {
    mkdirSync(this.path(folder), { recursive: true });
    const path = this.path(folder, name);
    writeFileSync(path, `#!/bin/sh\n${text}\n`);
    chmodSync(path, 0o755);
    return path;
  }

  dispose(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** JavaScript that imports a module of the bootstrap as `m`. */
export function importOf(module: string): string {
  const url = pathToFileURL(join(root, "engine", "bootstrap", `${module}.mjs`)).href;
  return `const m = await import(${JSON.stringify(url)});`;
}
