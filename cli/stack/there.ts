import { runHere } from "../../remote/command";
import { SshError, SshSession } from "../../remote/session";
import type { SshAccess } from "../../remote/types";
import { CommandError } from "../terminal/command";
import { endWithReader } from "../terminal/output";

/** Exit code where the connection failed and not the command, as ssh has it. */
const connectionFailed = 255;

const signals = { SIGINT: "INT", SIGTERM: "TERM", SIGHUP: "HUP" } as const;

/** The part of the help that tells the exit codes. */
export const thereHelp = "Once the command runs: its own exit code, or 255 if the connection fails.";

/**
 * Runs shell text on an instance with this process's standard streams and signals. Gives the exit code.
 * @param textOf Makes the text, on the connection that it then runs on.
 */
export async function runThere(
  access: SshAccess,
  textOf: (session: SshSession) => Promise<string> | string,
): Promise<number> {
  endWithReader();
  let session: SshSession | undefined;
  try {
    session = await SshSession.connect(access);
    return await runHere(session, await textOf(session), { streams: process, onSignal });
  } catch (error) {
    throw error instanceof SshError ? new CommandError(error.message, connectionFailed) : error;
  } finally {
    session?.close();
  }
}

/** Hands signals on. The second of a kind ends this process: what runs there may not listen. */
function onSignal(hand: (signal: "INT" | "TERM" | "HUP") => void): () => void {
  const handlers = Object.entries(signals).map(([name, signal]) => {
    const handler = (): void => hand(signal);
    process.once(name, handler);
    return () => process.off(name, handler);
  });
  return () => {
    for (const off of handlers) off();
  };
}
