import { randomBytes } from "node:crypto";
import type { Client } from "ssh2";
import type { Operation, ResourceType } from "../protocol/resource";
import { Capture } from "./capture";
import { dial } from "./dial";
import { type CommandInputs, type CommandOutputs, commandInputs, connectionInputs, previousOutput } from "./inputs";

/** `command.remote.Command`: runs a command over SSH, through the login shell of the remote user, without a terminal. */
export const remoteCommand: ResourceType = {
  inputs: {
    ...commandInputs,
    connection: { kind: connectionInputs, required: true, secret: true },
    environment: {
      kind: "stringMap",
      refused:
        "not served here, and refused by sshd unless its AcceptEnv names the variables; put them before the command instead: NAME='value' command",
    },
  },
  outputs: ["stdout", "stderr"],

  async create(properties, operation) {
    const inputs = properties as unknown as CommandInputs;
    const id = operation.name + randomBytes(4).toString("hex");
    if (inputs.create === undefined) return { id, outputs: { stdout: "", stderr: "" } };
    return { id, outputs: { ...(await run(inputs.create, inputs, {}, operation)) } };
  },

  async update(oldProperties, properties, operation) {
    const olds = oldProperties as CommandOutputs;
    const inputs = properties as unknown as CommandInputs;
    const command = inputs.update ?? inputs.create;
    if (command === undefined) return { stdout: olds.stdout ?? "", stderr: olds.stderr ?? "" };
    return { ...(await run(command, inputs, olds, operation)) };
  },

  async delete(oldProperties, operation) {
    const inputs = oldProperties as unknown as CommandInputs;
    if (inputs.delete !== undefined) await run(inputs.delete, inputs, oldProperties as CommandOutputs, operation);
  },
};

async function run(
  command: string,
  inputs: CommandInputs,
  olds: CommandOutputs,
  operation: Operation,
): Promise<CommandOutputs> {
  const client = await dial(inputs.connection, operation);
  const capture = new Capture(inputs.logging, operation.status);
  const cancel = () => client.destroy();
  operation.signal.addEventListener("abort", cancel);
  try {
    await execute(client, command, inputs.stdin, previousOutput(inputs, olds), capture);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`${reason}: running ${JSON.stringify(command)}:\n${capture.both()}`, { cause: error });
  } finally {
    operation.signal.removeEventListener("abort", cancel);
    capture.end();
    client.end();
  }
  return { stdout: capture.text("stdout"), stderr: capture.text("stderr") };
}

/** Resolves when the command ended with status 0. */
function execute(
  client: Client,
  command: string,
  stdin: string | undefined,
  env: { [name: string]: string },
  capture: Capture,
): Promise<void> {
  return new Promise((resolve, reject) => {
    // A connection that breaks closes the channel too, after this error.
    client.on("error", reject);
    client.exec(command, { env }, (error, channel) => {
      if (error) return reject(error);
      let end: Error | undefined = new Error("wait: remote command exited without exit status or exit signal");
      channel.on("exit", (code: number | null, signal?: string) => {
        end = code === 0 ? undefined : new Error(exitText(code, signal));
      });
      channel.on("close", () => (end ? reject(end) : resolve()));
      channel.on("data", (data: Buffer) => capture.add("stdout", data));
      channel.stderr.on("data", (data: Buffer) => capture.add("stderr", data));
      channel.end(stdin ?? "");
    });
  });
}

function exitText(code: number | null, signal: string | undefined): string {
  if (code !== null) return `Process exited with status ${code}`;
  return `Process exited from signal ${signal?.replace(/^SIG/, "")}`;
}
