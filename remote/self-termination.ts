import type { Listener } from "../local/listener";
import { askAgent, callAgent } from "./agent";
import type { SshSession } from "./session";
import { withRetries } from "./transfer/retry";
import type { RunStatus, SshAccess } from "./types";

/** How an instance is to end itself. */
export interface SelfTerminationSettings {
  readonly instance: string;
  /** Base URL of the API. */
  readonly url: string;
  /** Seconds without any work of the stack after which it ends. */
  readonly after: number;
  /** End even where results are nowhere else. */
  readonly loseResults: boolean;
  /** Where a file system is mounted that results may be kept on. */
  readonly fileSystem: string | null;
}

/**
 * Gives an instance the key with which it may end itself, by standard input into a file for its user alone, and starts
 * the watch. The instance tries the key first.
 * @returns whether the watch goes on after a reboot.
 * @throws SshError `exit` with the reason where the key does not serve or the API cannot be reached from there.
 */
export async function armSelfTermination(
  session: SshSession,
  settings: SelfTerminationSettings,
  key: string,
): Promise<{ readonly survivesReboot: boolean }> {
  const what = "Preparing the instance to terminate itself";
  // It waits for its turn at the API, which others of the account may take.
  const options = { timeoutSeconds: 300 };
  return JSON.parse(await callAgent(session, { verb: "arm", document: { ...settings, key } }, what, options));
}

/** Whether the watch goes on. */
export async function isSelfTerminationAlive(session: SshSession): Promise<boolean> {
  const call = { verb: "alive", document: {} };
  return JSON.parse(await callAgent(session, call, "Looking at the watch", { timeoutSeconds: 60 })).alive === true;
}

/** Ends the watch and removes the key. */
export async function disarmSelfTermination(session: SshSession): Promise<void> {
  const what = "Taking the key from the instance";
  await callAgent(session, { verb: "disarm", document: {} }, what, { timeoutSeconds: 180 });
}

/**
 * Tells an instance that a download of a run's results begins now.
 * @returns the token for {@link noteFetched}; undefined where the instance could not note it, on a full disk for example.
 */
export async function beginFetch(session: SshSession, status: RunStatus): Promise<string | undefined> {
  const call = { verb: "fetch-begin", document: { experiment: status.experiment } };
  const options = { timeoutSeconds: 60 };
  if (status.selfTermination !== undefined) {
    return (await callAgent(session, call, "Beginning the download", options)).trim();
  }
  const { code, stdout } = await askAgent(session, call, options);
  return code === 0 ? stdout.trim() : undefined;
}

/** Tells it that they are at home, verified: from here on it may end, and what it holds may be replaced. */
export async function noteFetched(session: SshSession, status: RunStatus, token: string): Promise<void> {
  const call = { verb: "fetch-done", document: { experiment: status.experiment, token } };
  await callAgent(session, call, "Noting that the results are downloaded", { timeoutSeconds: 60 });
}

/** Removes results of an earlier configuration from the instance, which kept them apart until they were at home. */
export async function removeAside(session: SshSession, experiment: string, name: string): Promise<void> {
  const call = { verb: "aside-done", document: { experiment, name } };
  await callAgent(session, call, "Removing what is downloaded", { timeoutSeconds: 600 });
}

/**
 * {@link noteFetched} on a connection of its own. Only an instance that ends itself by that must have heard it: to the
 * others a failure is told alone, since the results are at home.
 */
export async function tellFetched(
  access: SshAccess,
  status: RunStatus,
  token: string,
  { progress }: Listener,
): Promise<void> {
  const isArmed = status.selfTermination !== undefined;
  try {
    await withRetries(access, (session) => noteFetched(session, status, token), isArmed ? {} : { attempts: 2 });
  } catch (error) {
    if (isArmed) throw error;
    progress?.(
      `Downloaded the results of ${status.experiment}, but the instance couldn't note that: ${(error as Error).message} ` +
        "Before another configuration starts there, run `npm run results` again.",
    );
  }
}
