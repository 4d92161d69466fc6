import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join, resolve } from "node:path";
import { TestCloud } from "./cloud";
import type { Ended } from "./project";

const root = resolve(__dirname, "../..");

/** A folder of somebody else's: no clone is in it or above it. Its emulated cloud is started from the clone. */
export class ForeignFolder {
  readonly folder: string;
  readonly env: NodeJS.ProcessEnv;

  constructor(registry: string) {
    // npx looks for packages in folders above.
    this.folder = realpathSync(mkdtempSync(join(tmpdir(), "foreign-")));
    const { LAMBDA_API_KEY: _key, FORCE_COLOR: _colour, ...inherited } = process.env;
    const ours = Object.keys(inherited).filter((name) => /^(npm_|PULUMI_(?!HOME)|LAMBDA_TRAIN_(?!CACHE))/.test(name));
    const kept = Object.entries(inherited).filter(([name]) => !ours.includes(name));
    const path = (inherited.PATH ?? "").split(delimiter).filter((each) => !each.startsWith(root));
    this.env = {
      ...Object.fromEntries(kept),
      PATH: path.join(delimiter),
      NO_COLOR: "1",
      npm_config_registry: registry,
      npm_config_cache: join(this.folder, ".local", "npm"),
      npm_config_update_notifier: "false",
    };
  }

  write(path: string, text: string): void {
    mkdirSync(dirname(join(this.folder, path)), { recursive: true });
    writeFileSync(join(this.folder, path), text);
  }

  read(path: string): string {
    return readFileSync(join(this.folder, path), "utf8");
  }

  /** The state of a stack of its only project, as it lies on disk. */
  state(stack: string): string {
    const stacks = ".local/state/.pulumi/stacks";
    const [project = ""] = readdirSync(join(this.folder, stacks));
    return this.read(join(stacks, project, `${stack}.json`));
  }

  /** Runs a program there to its end. */
  run(program: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Ended> {
    const all = { ...this.env, ...env };
    const child = spawn(program, args, { cwd: this.folder, env: all, stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    for (const stream of [child.stdout, child.stderr])
      stream.on("data", (chunk: Buffer) => {
        output += chunk.toString();
      });
    return new Promise((settle, fail) => {
      child.on("error", fail);
      child.on("close", (code) => settle({ code: code ?? 1, output }));
    });
  }

  /** Runs a program that must end well. Gives all that it printed. @throws Error of what it printed */
  async succeeds(program: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<string> {
    const { code, output } = await this.run(program, args, env);
    if (code !== 0) throw new Error(`${program} ${args.join(" ")} ended with status ${code}:\n${output}`);
    return output;
  }

  /** An operator command of the clone's that works on this folder's cloud. */
  private ofClone(name: string, args: readonly string[]): Promise<Ended> {
    const env = { LAMBDA_TRAIN_LOCAL: join(this.folder, ".local") };
    return this.run(process.execPath, [join(root, "dist", "cli", `${name}.js`), ...args], env);
  }

  /** Starts an emulated cloud in the folder. */
  startCloud(): Promise<TestCloud> {
    return TestCloud.start({ folder: this.folder, run: (name, args = []) => this.ofClone(name, args) });
  }

  async dispose(): Promise<void> {
    await this.ofClone("cloud", ["reset"]);
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  }
}
