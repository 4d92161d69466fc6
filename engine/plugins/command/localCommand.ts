import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import type { Operation, ResourceType } from "../protocol/resource";
import { Capture } from "./capture";
import { type CommandInputs, type CommandOutputs, commandInputs, previousOutput } from "./inputs";

interface LocalInputs extends CommandInputs {
  readonly dir?: string;
  readonly environment?: { readonly [name: string]: string };
  readonly interpreter?: readonly string[];
}

const refused = "not served here: let the command print what it made, or read the files in the program";

/** `command.local.Command`: runs a command on this machine, with the environment of the engine. */
export const localCommand: ResourceType = {
  inputs: {
    ...commandInputs,
    archivePaths: { kind: "strings", refused },
    assetPaths: { kind: "strings", refused },
    dir: { kind: "string" },
    environment: { kind: "stringMap" },
    interpreter: { kind: "strings" },
  },
  outputs: ["stdout", "stderr"],

  async create(properties, operation) {
    const inputs = properties as LocalInputs;
    const id = operation.name + randomBytes(4).toString("hex");
    if (inputs.create === undefined) return { id, outputs: { stdout: "", stderr: "" } };
    return { id, outputs: { ...(await run(inputs.create, inputs, {}, operation)) } };
  },

  async update(oldProperties, properties, operation) {
    const olds = oldProperties as CommandOutputs;
    const inputs = properties as LocalInputs;
    const command = inputs.update ?? inputs.create;
    if (command === undefined) return { stdout: olds.stdout ?? "", stderr: olds.stderr ?? "" };
    return { ...(await run(command, inputs, olds, operation)) };
  },

  async delete(oldProperties, operation) {
    const inputs = oldProperties as LocalInputs;
    if (inputs.delete !== undefined) await run(inputs.delete, inputs, oldProperties as CommandOutputs, operation);
  },
};

async function run(
  command: string,
  inputs: LocalInputs,
  olds: CommandOutputs,
  operation: Operation,
): Promise<CommandOutputs> {
  const capture = new Capture(inputs.logging, operation.status);
  try {
    await execute(command, inputs, olds, capture, operation.signal);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`${reason}: running ${JSON.stringify(command)}:\n${capture.both()}`, { cause: error });
  } finally {
    capture.end();
  }
  return { stdout: capture.text("stdout"), stderr: capture.text("stderr") };
}

/** Resolves when the command ended with status 0. Cancelling kills the command itself, not its children. */
function execute(
  command: string,
  inputs: LocalInputs,
  olds: CommandOutputs,
  capture: Capture,
  signal: AbortSignal,
): Promise<void> {
  const shell = process.platform === "win32" ? ["cmd", "/C"] : ["/bin/sh", "-c"];
  const [file = "", ...words] = inputs.interpreter?.length ? inputs.interpreter : shell;
  return new Promise((resolve, reject) => {
    const child = spawn(file, [...words, command], {
      cwd: inputs.dir,
      env: { ...process.env, ...inputs.environment, ...previousOutput(inputs, olds) },
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
