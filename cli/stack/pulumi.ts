import { spawn } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { constants } from "node:os";
import { dirname } from "node:path";
import { interruptMark } from "../../components/dynamic/interrupt";
import { projectFolder } from "../../local/paths";
import { configNamespace } from "../../plan/namespace";
import { selectedHere } from "./local-state";
import { configurationOf, withConfigFile } from "./stack-file";

/** Runs the Pulumi CLI in the project with this terminal. Resolves to its exit code; 128 and a signal's number where one ended it. */
export function pulumi(args: readonly string[]): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn("pulumi", withConfigFile(args), { cwd: projectFolder(), stdio: "inherit" });
    // Ctrl-C in a terminal reaches the CLI by itself, and twice would kill it. Without one it has to be handed on.
    const mark = interruptMark(child.pid ?? 0);
    const note = (): void => {
      mkdirSync(dirname(mark), { recursive: true });
      writeFileSync(mark, "");
    };
    const interrupt = (): void => {
      note();
      if (!process.stdin.isTTY) child.kill("SIGINT");
    };
    process.on("SIGINT", interrupt);
    const forward = (signal: NodeJS.Signals): void => {
      note();
      child.kill(signal);
    };
    process.on("SIGTERM", forward);
    child.on("error", reject);
    child.on("exit", (code, signal) => {
      process.off("SIGINT", interrupt);
      rmSync(mark, { force: true });
      process.off("SIGTERM", forward);
      // As a CLI does that is out of memory, or interrupted before it listens.
      if (signal !== null)
        console.error(
          `The Pulumi CLI was ended by ${signal}. See with \`npm run status\` what there is, then run the command again.`,
        );
      resolve(signal === null ? (code ?? 1) : 128 + constants.signals[signal]);
    });
  });
}

/**
 * Runs the Pulumi CLI and returns what it prints.
 * @throws Error with the CLI's own words when it fails.
 */
export function pulumiOutput(args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn("pulumi", withConfigFile(args), { cwd: projectFolder(), stdio: ["ignore", "pipe", "pipe"] });
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

/** The stack to work on: the one named, else the selected one, else the bootstrap's default (see its environment.mjs). */
export async function stackName(named: string | undefined): Promise<string> {
  if (named !== undefined) return named;
  if (process.env.PULUMI_STACK) return process.env.PULUMI_STACK;
  const here = selectedHere();
  if (here !== undefined) return here;
  try {
    const selected = (await pulumiOutput(["stack", "--show-name"])).trim();
    if (selected !== "") return selected;
  } catch {
    // No stack is selected yet.
  }
  return process.env.LAMBDA_TRAIN_DEFAULT_STACK || "dev";
}

/**
 * The configuration of a stack by its file and its environments of Pulumi ESC, key without namespace → text, also where there is no stack (any more).
 * Secrets are left out. Empty without a file.
 */
export function stackFileConfig(stack: string): Record<string, string> {
  const plain = Object.entries(rawStackConfig(stack)).filter(([, value]) => !holdsSecret(value));
  const text = (value: unknown): string => (typeof value === "string" ? value : JSON.stringify(value));
  return Object.fromEntries(plain.map(([key, value]) => [key, text(value)]));
}

/** The configuration as the stack's file has it, key without namespace → value. A secret is `{ secure: … }`, encrypted. */
export function rawStackConfig(stack: string): Record<string, unknown> {
  const ours = Object.entries(configurationOf(stack)).filter(([key]) => key.startsWith(configNamespace));
  return Object.fromEntries(ours.map(([key, value]) => [key.slice(configNamespace.length), value]));
}

/** Whether a value is a secret, or holds one at any depth. */
function holdsSecret(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  return "secure" in value || Object.values(value).some(holdsSecret);
}

/** Whether the stack works on the emulated cloud. */
export function isEmulated(stack: string): boolean {
  return stackFileConfig(stack).endpoint === "emulated";
}
