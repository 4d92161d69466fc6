import { readFileSync, readlinkSync } from "node:fs";
import { basename } from "node:path";

/** Set to `yes` or `no` by whoever starts the engine and knows; else it is found out where /proc tells. */
const liveVariable = "LAMBDA_TRAIN_LIVE";

/** The engine is the parent of a plugin, or the parent of the shell that starts it. */
const generations = 4;

/**
 * Whether the engine that started this process draws its rows in a terminal, where a line replaces the one before it.
 * Elsewhere, as in a CI job, every line stays in the output. False where that cannot be known. The conditions are the
 * engine's own (sdk/go/common/util/cmdutil/console.go): both ends are terminals, not a dumb one, not in CI.
 */
export function drawsRows(env: NodeJS.ProcessEnv = process.env, parent = process.ppid): boolean {
  const told = env[liveVariable];
  if (told === "yes" || told === "no") return told === "yes";
  const inCi = (env.CI ?? "") !== "" && (env.PULUMI_DISABLE_CI_DETECTION ?? "") === "";
  if (env.TERM === "dumb" || inCi) return false;
  try {
    let pid = parent;
    for (let left = generations; left > 0; left -= 1) {
      const words = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
      if (basename(words[0] ?? "") === "pulumi") {
        return isTerminal(pid, 0) && isTerminal(pid, 1) && !words.includes("--non-interactive");
      }
      pid = parentOf(pid);
    }
  } catch {
    // Another system, or somebody else's process.
  }
  return false;
}

function isTerminal(pid: number, descriptor: number): boolean {
  return /^\/dev\/(pts\/\d+|tty\w*|console)$/.test(readlinkSync(`/proc/${pid}/fd/${descriptor}`));
}

function parentOf(pid: number): number {
  return Number(/^PPid:\s*(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0);
}
