import { execFile } from "node:child_process";
import { promisify } from "node:util";

/** Wall-clock seconds that something takes. */
export async function seconds(run: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await run();
  return (performance.now() - started) / 1000;
}

/** The middle of some numbers. */
export function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

/** Runs the Pulumi CLI in a folder; throws with its output when it fails. */
export async function pulumi(folder: string, env: NodeJS.ProcessEnv, args: readonly string[]): Promise<string> {
  const { PULUMI_STACK: _stack, ...rest } = env;
  const stack = args.includes("--stack") || args[0] === "stack" ? rest : env;
  const { stdout } = await promisify(execFile)("pulumi", [...args, "--non-interactive"], { cwd: folder, env: stack });
  return stdout;
}
