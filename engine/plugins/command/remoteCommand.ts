import { randomBytes } from "node:crypto";
import type { Client, ClientChannel } from "ssh2";
import type { Operation, ResourceType } from "../protocol/resource";
import { Capture } from "./capture";
import { dial } from "./dial";
import {
  type CommandInputs,
  type CommandOutputs,
  type Connection,
  commandInputs,
  connectionInputs,
  previousOutput,
} from "./inputs";
import { join, leave, share } from "./shared";

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
  const { connection, stdin = "" } = inputs;
  const capture = new Capture(inputs.logging, operation.status);
  const start = (on: Client) => begin(on, command, previousOutput(inputs, olds), capture);
  const shared = await beginOnShared(connection, start);
  const client = shared?.client ?? (await dial(connection, operation));
  if (shared === undefined) share(connection, client);
  const cancel = () => client.destroy();
  operation.signal.addEventListener("abort", cancel);
  try {
    const { channel, ended } = shared?.running ?? (await start(client));
    channel.end(stdin);
    await ended;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`${reason}: running ${JSON.stringify(command)}:\n${capture.both()}`, { cause: error });
  } finally {
    operation.signal.removeEventListener("abort", cancel);
    capture.end();
    leave(client);
  }
  return { stdout: capture.text("stdout"), stderr: capture.text("stderr") };
}

/** A command that reads its input. `ended` resolves when it has ended with status 0. */
interface Running {
  readonly channel: ClientChannel;
  readonly ended: Promise<void>;
}

/** How long a connection that nobody uses may take to start a command. */
const BEGIN_MS = 15_000;

/** Begins on a connection that is open already; undefined where none is that works. */
async function beginOnShared(
  connection: Connection,
  start: (client: Client) => Promise<Running>,
): Promise<{ readonly client: Client; readonly running: Running } | undefined> {
  const joined = join(connection);
  if (joined === undefined) return undefined;
  const { client, isIdle } = joined;
  const timer = isIdle ? setTimeout(() => client.destroy(), BEGIN_MS) : undefined;
  try {
    return { client, running: await start(client) };
  } catch {
    // It was lost while nobody used it, or takes no more.
    if (isIdle) client.destroy();
    leave(client);
    return undefined;
  } finally {
    clearTimeout(timer);
  }
}

function begin(client: Client, command: string, env: { [name: string]: string }, capture: Capture): Promise<Running> {
  return new Promise((resolve, reject) => {
    let fail = reject;
    const lost = (error: Error): void => fail(error);
    // A connection that breaks closes the channel too, after this error.
    client.on("error", lost);
    client.exec(command, { env }, (error, channel) => {
      if (error) return reject(error);
      const ended = new Promise<void>((settle, refuse) => {
        fail = refuse;
        let end: Error | undefined = new Error("wait: remote command exited without exit status or exit signal");
        channel.on("exit", (code: number | null, signal?: string) => {
          end = code === 0 ? undefined : new Error(exitText(code, signal));
        });
        channel.on("close", () => {
          client.off("error", lost);
          if (end) refuse(end);
          else settle();
        });
      });
      ended.catch(() => {});
      channel.on("data", (data: Buffer) => capture.add("stdout", data));
      channel.stderr.on("data", (data: Buffer) => capture.add("stderr", data));
      resolve({ channel, ended });
    });
  });
}

function exitText(code: number | null, signal: string | undefined): string {
  if (code !== null) return `Process exited with status ${code}`;
  return `Process exited from signal ${signal?.replace(/^SIG/, "")}`;
}
