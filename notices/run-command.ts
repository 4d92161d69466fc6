import { spawn } from "node:child_process";
import { localEnvironment } from "../local/command";
import { projectFolder } from "../local/paths";
import type { Notice } from "./notice";

/** Milliseconds for one try. Programs that send elsewhere take longer than one request. */
const timeoutMs = 20_000;

/**
 * Runs a target's command in bash, in the project's folder, with the notice as JSON on its standard input.
 * @throws Error that tells its status and nothing that it printed, which may hold an address or a token.
 */
export function runCommand(command: string, notice: Notice, limitMs = timeoutMs): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn("bash", ["-o", "pipefail", "-c", command], {
      cwd: projectFolder(),
      env: localEnvironment(),
      stdio: ["pipe", "ignore", "ignore"],
      // A group of its own: what the command has started ends with it.
      detached: true,
    });
    const timer = setTimeout(() => {
      end(child.pid);
      reject(new Error(`the command didn't end within ${limitMs / 1000} s`));
    }, limitMs);
    // It may end before it has read the notice, or without.
    child.stdin.on("error", () => undefined);
    child.stdin.end(`${JSON.stringify(notice)}\n`);
    child.on("error", reject);
    child.on("exit", (code, signal) => {
      clearTimeout(timer);
      if (code === 0) resolve();
      else reject(new Error(`the command ended with ${signal ?? `status ${code}`}`));
    });
  });
}

function end(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // It has ended meanwhile.
  }
}
