import { spawn } from "node:child_process";
import type { Capture } from "./capture";
import { captured, commandType } from "./command";
import type { CommandInputs } from "./inputs";

interface LocalInputs extends CommandInputs {
  readonly dir?: string;
  readonly environment?: { readonly [name: string]: string };
  readonly interpreter?: readonly string[];
}

const refused = "not served here: let the command print what it made, or read the files in the program";

/** `command.local.Command`: runs a command on this machine, with the environment of the engine. */
export const localCommand = commandType<LocalInputs>(
  {
    archivePaths: { kind: "strings", refused },
    assetPaths: { kind: "strings", refused },
    dir: { kind: "string" },
    environment: { kind: "stringMap" },
    interpreter: { kind: "strings" },
  },
  (command, inputs, env, operation) =>
    captured(command, inputs, operation, (capture) => execute(command, inputs, env, capture, operation.signal)),
);

/** Resolves when the command ended with status 0. Cancelling kills the command itself, not its children. */
function execute(
  command: string,
  inputs: LocalInputs,
  env: { [name: string]: string },
  capture: Capture,
  signal: AbortSignal,
): Promise<void> {
  const shell = process.platform === "win32" ? ["cmd", "/C"] : ["/bin/sh", "-c"];
  const [file = "", ...words] = inputs.interpreter?.length ? inputs.interpreter : shell;
  return new Promise((resolve, reject) => {
    const child = spawn(file, [...words, command], {
      cwd: inputs.dir,
      env: { ...process.env, ...inputs.environment, ...env },
      stdio: "pipe",
      killSignal: "SIGKILL",
      signal,
    });
    child.stdout.on("data", (data: Buffer) => capture.add("stdout", data));
    child.stderr.on("data", (data: Buffer) => capture.add("stderr", data));
    // A command that does not read its input closes the pipe early.
    child.stdin.on("error", () => {});
    child.stdin.end(inputs.stdin ?? "");
    child.on("error", reject);
    child.on("close", (code, ended) => {
      if (code === 0) resolve();
      else reject(new Error(code === null ? `signal: ${ended}` : `exit status ${code}`));
    });
  });
}
