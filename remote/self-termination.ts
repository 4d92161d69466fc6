import type { Listener } from "../local/listener";
import { ensureScripts } from "./bundle";
import { shellQuote } from "./quote";
import type { SshSession } from "./session";
import { withRetries } from "./transfer/retry";
import type { RunStatus, SshAccess } from "./types";
import { writtenScripts } from "./written";

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

const safetyScripts = [...writtenScripts, "safety.py"] as const;
const scripts = [...safetyScripts, "cloud.py", "notebook_use.py", "self-terminate.py"] as const;
const fetchScripts = [...safetyScripts, "fetched.py"] as const;
const asideScripts = [...safetyScripts, "aside.py"] as const;

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
  const stdin = JSON.stringify({ ...settings, key });
  const command = `python3 ${await ensureScripts(session, scripts)}/self-terminate.py arm`;
  const what = "Preparing the instance to terminate itself";
  // It waits for its turn at the API, which others of the account may take.
  return JSON.parse(await session.run(command, what, { stdin, timeoutSeconds: 300 }));
}

/** Whether the watch goes on. */
export async function isSelfTerminationAlive(session: SshSession): Promise<boolean> {
  const command = `python3 ${await ensureScripts(session, scripts)}/self-terminate.py alive`;
  return JSON.parse(await session.run(command, "Looking at the watch", { timeoutSeconds: 60 })).alive === true;
}

/** Ends the watch and removes the key. */
export async function disarmSelfTermination(session: SshSession): Promise<void> {
  const command = `python3 ${await ensureScripts(session, scripts)}/self-terminate.py disarm`;
  await session.run(command, "Taking the key from the instance", { timeoutSeconds: 180 });
}

/**
 * Tells an instance that a download of a run's results begins now.
 * @returns the token for {@link noteFetched}; undefined where the instance could not note it, on a full disk for example.
 */
export async function beginFetch(session: SshSession, status: RunStatus): Promise<string | undefined> {
  const command = `python3 ${await ensureScripts(session, fetchScripts)}/fetched.py begin ${shellQuote(status.experiment)}`;
  const what = "Beginning the download";
  const options = { timeoutSeconds: 60 };
  if (status.selfTermination !== undefined) return (await session.run(command, what, options)).trim();
  const { code, stdout } = await session.exec(command, options);
  return code === 0 ? stdout.trim() : undefined;
}

/** Tells it that they are at home, verified: from here on it may end, and what it holds may be replaced. */
export async function noteFetched(session: SshSession, status: RunStatus, token: string): Promise<void> {
  const words = `${shellQuote(status.experiment)} ${shellQuote(token)}`;
  const command = `python3 ${await ensureScripts(session, fetchScripts)}/fetched.py done ${words}`;
  await session.run(command, "Noting that the results are downloaded", { timeoutSeconds: 60 });
}

/** Removes results of an earlier configuration from the instance, which kept them apart until they were at home. */
export async function removeAside(session: SshSession, experiment: string, name: string): Promise<void> {
  const words = `${shellQuote(experiment)} ${shellQuote(name)}`;
  const command = `python3 ${await ensureScripts(session, asideScripts)}/aside.py done ${words}`;
  await session.run(command, "Removing what is downloaded", { timeoutSeconds: 600 });
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
