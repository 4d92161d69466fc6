import type { Client } from "ssh2";
import type { Capture } from "./capture";
import { captured, commandType } from "./command";
import { dial } from "./dial";
import { type CommandInputs, type Connection, connectionInputs } from "./inputs";

interface RemoteInputs extends CommandInputs {
  readonly connection: Connection;
}

/** `command.remote.Command`: runs a command over SSH, through the login shell of the remote user, without a terminal. */
export const remoteCommand = commandType<RemoteInputs>(
  {
    connection: { kind: connectionInputs, required: true, secret: true },
    environment: {
      kind: "stringMap",
      refused:
        "not served here, and refused by sshd unless its AcceptEnv names the variables; put them before the command instead: NAME='value' command",
    },
  },
  async (command, inputs, env, operation) => {
    const { client, close } = await dial(inputs.connection, operation);
    const cancel = () => client.destroy();
    operation.signal.addEventListener("abort", cancel);
    try {
      return await captured(command, inputs, operation, (capture) =>
        execute(client, command, inputs.stdin, env, capture),
      );
    } finally {
      operation.signal.removeEventListener("abort", cancel);
      close();
    }
  },
);

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
