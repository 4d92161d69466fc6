import { spawn } from "node:child_process";

/** Runs a shell command that must end well, in a folder. Errors go to this terminal. */
export async function shell(command: string, cwd: string): Promise<undefined> {
  const child = spawn("bash", ["-euo", "pipefail", "-c", command], { cwd, stdio: ["ignore", "ignore", "inherit"] });
  const code = await new Promise((settle) => child.once("close", settle));
  if (code !== 0) throw new Error(`This ended with status ${code}: ${command}`);
  return undefined;
}
