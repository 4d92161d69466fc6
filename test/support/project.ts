import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { stringify } from "yaml";
import { shellQuote } from "../../remote/quote";

const root = resolve(__dirname, "../..");

/** How a command ended, and all that it printed. */
export interface Ended {
  readonly code: number;
  readonly output: string;
}

/** A resource as the state holds it. */
export interface StateResource {
  readonly urn: string;
  readonly type: string;
  readonly id?: string;
  readonly inputs?: Record<string, unknown>;
  readonly outputs?: Record<string, unknown>;
  readonly initErrors?: string[];
}

/**
 * A copy of the project in a folder of its own, as a fresh clone would be, with its own state and emulated cloud.
 * Everything that it starts ends with `dispose`.
 */
export class Project {
  readonly folder: string;
  readonly env: NodeJS.ProcessEnv;
  private readonly running = new Set<ChildProcess>();

  constructor(readonly stack = "test") {
    this.folder = mkdtempSync(join(tmpdir(), "lambda-train-"));
    const tracked = execFileSync("git", ["-C", root, "ls-files", "-co", "--exclude-standard", "-z"], {
      encoding: "utf8",
    });
    for (const path of tracked.split("\0").filter((name) => name !== "" && !name.startsWith("test/"))) {
      mkdirSync(dirname(join(this.folder, path)), { recursive: true });
      cpSync(join(root, path), join(this.folder, path), { verbatimSymlinks: true });
    }
    cpSync(join(root, "dist"), join(this.folder, "dist"), { recursive: true });
    symlinkSync(join(root, "node_modules"), join(this.folder, "node_modules"));
    const local = join(this.folder, ".local");
    mkdirSync(join(local, "state"), { recursive: true });
    const { LAMBDA_API_KEY: _key, PULUMI_CONFIG_PASSPHRASE_FILE: _file, FORCE_COLOR: _, ...inherited } = process.env;
    this.env = {
      ...inherited,
      // A CI would ask for colours, and what commands print is to look the same everywhere.
      NO_COLOR: "1",
      LAMBDA_TRAIN_LOCAL: local,
      PULUMI_BACKEND_URL: `file://${join(local, "state")}`,
      PULUMI_CONFIG_PASSPHRASE: "a passphrase for tests",
      PULUMI_STACK: stack,
    };
  }

  /** Writes the stack's file: the embedded default with changes. undefined removes a key. */
  configure(changes: Readonly<Record<string, unknown>> = {}): void {
    const base: Record<string, unknown> = {
      endpoint: "emulated",
      experiment: "configs/hmer-ink.yaml",
      instanceTypes: ["cpu_4x_general"],
      regions: ["us-east-1"],
    };
    const config = Object.entries({ ...base, ...changes }).filter(([, value]) => value !== undefined);
    const path = join(this.folder, `Pulumi.${this.stack}.yaml`);
    let salt: object = {};
    try {
      const line = /^encryptionsalt: (.*)$/m.exec(readFileSync(path, "utf8"))?.[1];
      salt = line === undefined ? {} : { encryptionsalt: line };
    } catch {
      // The stack has no file yet.
    }
    const named = Object.fromEntries(config.map(([key, value]) => [`lambda-train:${key}`, value]));
    writeFileSync(path, stringify({ ...salt, config: named }));
  }

  /** Writes a file of the project. */
  write(path: string, text: string, mode = 0o644): void {
    mkdirSync(dirname(join(this.folder, path)), { recursive: true });
    writeFileSync(join(this.folder, path), text, { mode });
  }

  read(path: string): string {
    return readFileSync(join(this.folder, path), "utf8");
  }

  /** Starts a program in the project. Its process group ends with the project at the latest. */
  start(
    program: string,
    args: readonly string[],
    env: NodeJS.ProcessEnv = {},
    input: "ignore" | "pipe" = "ignore",
  ): { child: ChildProcess; ended: Promise<Ended> } {
    const child = spawn(program, args, {
      cwd: this.folder,
      env: { ...this.env, ...env },
      stdio: [input, "pipe", "pipe"],
      detached: true,
    });
    this.running.add(child);
    let output = "";
    const take = (chunk: Buffer): void => {
      output += chunk.toString();
    };
    child.stdout?.on("data", take);
    child.stderr?.on("data", take);
    const ended = new Promise<Ended>((settle, fail) => {
      child.on("error", fail);
      child.on("close", (code, signal) => {
        this.running.delete(child);
        settle({ code: code ?? (signal === "SIGKILL" ? 137 : 1), output });
      });
    });
    return { child, ended };
  }

  /** Runs an operator command: `npm run <name> -- <args>`. */
  run(name: string, args: readonly string[] = [], env: NodeJS.ProcessEnv = {}): Promise<Ended> {
    return this.start(process.execPath, [join("dist", "cli", `${name}.js`), ...args], env).ended;
  }

  /** Runs an operator command that must end well. Gives all that it printed. @throws Error of what it printed */
  async succeeds(name: string, args: readonly string[] = [], env: NodeJS.ProcessEnv = {}): Promise<string> {
    const { code, output } = await this.run(name, args, env);
    if (code !== 0) throw new Error(`${name} ended with status ${code}:\n${output}`);
    return output;
  }

  /** Runs an operator command that must fail. Gives all that it printed. @throws Error of what it printed */
  async fails(name: string, args: readonly string[] = [], env: NodeJS.ProcessEnv = {}): Promise<string> {
    const { code, output } = await this.run(name, args, env);
    if (code === 0) throw new Error(`${name} ended well:\n${output}`);
    return output;
  }

  /** Starts an operator command in a terminal of 40 rows; its standard input is what is typed. */
  terminal(
    name: string,
    args: readonly string[] = [],
    env: NodeJS.ProcessEnv = {},
    columns = 100,
  ): ReturnType<Project["start"]> {
    const words = [process.execPath, `dist/cli/${name}.js`, ...args].map(shellQuote);
    const command = `stty cols ${columns} rows 40; exec ${words.join(" ")}`;
    return this.start("script", ["-qefc", command, "/dev/null"], { TERM: "xterm", ...env }, "pipe");
  }

  /** Runs the Pulumi CLI. */
  pulumi(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Ended> {
    return this.start("pulumi", [...args, "--non-interactive", "--color=never"], env).ended;
  }

  /** Creates the stack, as a first `npm run up` does. */
  async init(): Promise<void> {
    const { code, output } = await this.pulumi(["stack", "select", "--create", this.stack]);
    if (code !== 0) throw new Error(output);
  }

  /** Creates a stack beside this one, with the same configuration. Gives the variables that choose it. */
  async besides(name: string): Promise<NodeJS.ProcessEnv> {
    const { code, output } = await this.pulumi(["stack", "init", name]);
    if (code !== 0) throw new Error(output);
    const salt = /^encryptionsalt: .*$/m.exec(this.read(`Pulumi.${name}.yaml`))?.[0] ?? "";
    const own = this.read(`Pulumi.${this.stack}.yaml`).replace(/^encryptionsalt: .*\n/m, "");
    this.write(`Pulumi.${name}.yaml`, `${salt}\n${own}`);
    return { PULUMI_STACK: name };
  }

  /** The stack's outputs; secrets in clear only where asked for. */
  async outputs(showSecrets = false): Promise<Record<string, unknown>> {
    const { code, output } = await this.pulumi([
      "stack",
      "output",
      "--json",
      ...(showSecrets ? ["--show-secrets"] : []),
    ]);
    if (code !== 0) throw new Error(output);
    return JSON.parse(output) as Record<string, unknown>;
  }

  /** All resources in the state. */
  async resources(): Promise<StateResource[]> {
    const { output } = await this.pulumi(["stack", "export"]);
    const { deployment } = JSON.parse(output) as { deployment: { resources?: StateResource[] } };
    return deployment.resources ?? [];
  }

  /** The state file as it lies on disk. */
  stateText(): string {
    return this.read(this.statePath);
  }

  /** When the state file was last written, in milliseconds since 1970. */
  stateWrittenAt(): number {
    return statSync(join(this.folder, this.statePath)).mtimeMs;
  }

  private get statePath(): string {
    return `.local/state/.pulumi/stacks/lambda-train/${this.stack}.json`;
  }

  /** Ends everything that was started, and removes the folder. */
  async dispose(): Promise<void> {
    for (const { pid } of this.running) {
      // What could not be started has none; group 0 would be this process's own.
      if (pid === undefined) continue;
      try {
        process.kill(-pid, "SIGKILL");
      } catch {
        // It ended by itself.
      }
    }
    await this.run("cloud", ["reset"]);
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  }
}
