import type { SshSession } from "../session";
import type { SshAccess } from "../types";

/** Long enough for the engine to go from one resource to the next. */
const idleSeconds = 10;
/** Of those that nobody uses, so that a refresh of a hundred machines doesn't end with a hundred of them. */
const mostIdle = 16;

interface Idle {
  readonly session: SshSession;
  readonly timer: NodeJS.Timeout;
}

let idle: Idle[] = [];
/** Whose connections are kept: one entry a caller. */
let keepers: SshAccess[] = [];
let keepsAll = false;

/** From now on this process keeps connections open for a while after their use. For one that somebody else ends. */
export function keepConnections(): void {
  keepsAll = true;
}

/** Keeps connections to an instance open from one use to the next, until `fn` has ended. */
export async function onOneConnection<T>(access: SshAccess, fn: () => Promise<T>): Promise<T> {
  keepers.push(access);
  try {
    return await fn();
  } finally {
    keepers = keepers.filter((each) => each !== access);
    for (const each of idle) if (!isWanted(each.session)) forget(each.session)?.close();
  }
}

/** A connection that waits for its next use, with the same login and the same pinned host key. */
export function takeKept(access: SshAccess): SshSession | undefined {
  const found = idle.find(({ session }) => isSame(session.access, access));
  return found && forget(found.session);
}

/** Done with a connection on which all went well: it waits for its next use, or is closed. */
export function giveBack(session: SshSession): void {
  if (!isWanted(session)) {
    session.close();
    return;
  }
  const timer = setTimeout(() => forget(session)?.close(), idleSeconds * 1000);
  timer.unref();
  idle.push({ session, timer });
  for (const { session: oldest } of idle.slice(0, -mostIdle)) forget(oldest)?.close();
  void session.ended.then(() => forget(session));
}

function forget(session: SshSession): SshSession | undefined {
  const found = idle.find((each) => each.session === session);
  if (found === undefined) return undefined;
  clearTimeout(found.timer);
  idle = idle.filter((each) => each !== found);
  return session;
}

function isWanted({ access }: SshSession): boolean {
  return keepsAll || keepers.some((each) => isSame(each, access));
}

function isSame(one: SshAccess, other: SshAccess): boolean {
  const names = ["host", "port", "user", "hostKey", "privateKey"] as const;
  return names.every((name) => one[name] === other[name]);
}
