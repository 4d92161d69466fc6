import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { parse } from "yaml";
import { isAlive } from "../../emulator/run-file";
import { projectFolder } from "../../plan/paths";

/** Project name of Pulumi.yaml, and namespace of the configuration. */
export const project = "lambda-train";

/** Runs the Pulumi CLI in the project with this terminal. Resolves to its exit code. */
export function pulumi(args: readonly string[]): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn("pulumi", args, { cwd: projectFolder(), stdio: "inherit" });
    // Ctrl-C in a terminal reaches the CLI by itself, and twice would kill it. Without one it has to be handed on.
    const interrupt = (): void => {
      if (!process.stdin.isTTY) child.kill("SIGINT");
    };
    process.on("SIGINT", interrupt);
    const forward = (signal: NodeJS.Signals): void => void child.kill(signal);
    process.on("SIGTERM", forward);
    child.on("error", reject);
    child.on("exit", (code, signal) => {
      process.off("SIGINT", interrupt);
      process.off("SIGTERM", forward);
      resolve(signal === null ? (code ?? 1) : 128 + (signal === "SIGKILL" ? 9 : 15));
    });
  });
}

/**
 * Runs the Pulumi CLI and returns what it prints.
 * @throws Error with the CLI's own words when it fails.
 */
export function pulumiOutput(args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn("pulumi", args, { cwd: projectFolder(), stdio: ["ignore", "pipe", "pipe"] });
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    child.stdout.on("data", (chunk: Buffer) => out.push(chunk));
    child.stderr.on("data", (chunk: Buffer) => err.push(chunk));
    child.on("error", reject);
    child.on("close", (code) => {
      if (code === 0) resolve(Buffer.concat(out).toString());
      else reject(new Error(Buffer.concat(err).toString().trim() || `pulumi ${args[0]} failed with status ${code}`));
    });
  });
}

/** The stack to work on: the one named, else the selected one, else `dev`. */
export async function stackName(named: string | undefined): Promise<string> {
  if (named !== undefined) return named;
  if (process.env.PULUMI_STACK) return process.env.PULUMI_STACK;
  try {
    const selected = (await pulumiOutput(["stack", "--show-name"])).trim();
    if (selected !== "") return selected;
  } catch {
    // No stack is selected yet.
  }
  return "dev";
}

/**
 * The configuration of a stack by its file, key without namespace → text, also where there is no stack (any more).
 * Secrets are left out. Empty without a file.
 */
export function stackFileConfig(stack: string): Record<string, string> {
  const file = join(projectFolder(), `Pulumi.${stack.split("/").pop()}.yaml`);
  if (!existsSync(file)) return {};
  const { config = {} } = (parse(readFileSync(file, "utf8")) ?? {}) as { config?: Record<string, unknown> };
  const plain = Object.entries(config).filter(
    ([key, value]) => key.startsWith(`${project}:`) && (value as { secure?: unknown } | null)?.secure === undefined,
  );
  const text = (value: unknown): string => (typeof value === "string" ? value : JSON.stringify(value));
  return Object.fromEntries(plain.map(([key, value]) => [key.slice(project.length + 1), text(value)]));
}

/**
 * Mends what a killed CLI left behind in the local backend: its lock, and what it had begun. A lock whose process
 * lives, or that another machine holds, stays, and all else with it.
 */
export async function clearStaleLock(stack: string): Promise<void> {
  const backend = process.env.PULUMI_BACKEND_URL ?? "";
  if (!backend.startsWith("file://")) return;
  const folder = join(backend.slice("file://".length), ".pulumi");
  const held = locksIn(join(folder, "locks", "organization", project, stack));
  if (held.some((lock) => lock.hostname !== hostname() || isAlive(lock.pid))) return;
  if (held.length > 0) {
    console.log(`The last update of ${stack} was killed (process ${held[0]?.pid}); its lock is removed.`);
    await pulumiOutput(["cancel", "--yes", "--stack", stack]);
  }
  // Not only with a lock: this may have been killed itself after it had removed one.
  const state = join(folder, "stacks", project, `${stack}.json`);
  if (existsSync(state) && /"pending_operations":/.test(readFileSync(state, "utf8")))
    await forgetPendingOperations(stack);
}

function locksIn(folder: string): { readonly pid: number; readonly hostname: string }[] {
  if (!existsSync(folder)) return [];
  // Beside each lock the backend keeps a file of attributes.
  const names = readdirSync(folder).filter((name) => name.endsWith(".json"));
  return names.map((name) => JSON.parse(readFileSync(join(folder, name), "utf8")) as { pid: number; hostname: string });
}

/**
 * Takes out of the state what a killed update had begun and not ended. The engine would warn of it at every run from
 * then on; for this stack there is nothing to look into, since claims and names find again whatever it was.
 */
async function forgetPendingOperations(stack: string): Promise<void> {
  const state = JSON.parse(await pulumiOutput(["stack", "export", "--stack", stack])) as {
    deployment: { pending_operations?: unknown[] };
  };
  if (state.deployment.pending_operations === undefined) return;
  const folder = mkdtempSync(join(tmpdir(), "lambda-train-"));
  try {
    const file = join(folder, "state.json");
    const { pending_operations: _begun, ...deployment } = state.deployment;
    writeFileSync(file, JSON.stringify({ ...state, deployment }), { mode: 0o600 });
    await pulumiOutput(["stack", "import", "--stack", stack, "--file", file]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Whether the stack works on the emulated cloud. */
export function isEmulated(stack: string): boolean {
  return stackFileConfig(stack).endpoint === "emulated";
}
