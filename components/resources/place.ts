import { resolve } from "node:path";
import { SshError, type SshSession } from "../../remote/session";
import { withRetries } from "../../remote/transfer/retry";
import type { SshAccess } from "../../remote/types";
import type { HandlerContext } from "../dynamic/handler";

/** Inputs of every handler that works over SSH. */
export interface OnInstance {
  readonly instanceId: string;
  readonly access: SshAccess;
}

/** The local path that the state holds. The provider process runs in the project's folder. */
export function localPath(path: string): string {
  return resolve(path);
}

/** Tries of a look at the instance: a refresh should not wait long for one that is gone. */
const lookAttempts = 3;

/** Looks at something on the instance, over a few lost connections. */
export function look<T>(access: SshAccess, at: (session: SshSession) => Promise<T>): Promise<T> {
  return withRetries(access, at, { attempts: lookAttempts });
}

/**
 * What a refresh sees. Unreachable is not failed: if the instance can't be reached, the known values stay, and the
 * user gets a message.
 */
export async function lookOrKeep<T>(known: T, { progress }: HandlerContext, at: () => Promise<T>): Promise<T> {
  try {
    return await at();
  } catch (error) {
    if (!isUnreachable(error)) throw error;
    progress(`${(error as Error).message} What was known stays.`);
    return known;
  }
}

/** Whether an error says that the instance cannot be reached now: nothing is known of what runs there. */
export function isUnreachable(error: unknown): boolean {
  return error instanceof SshError && ["connect", "timeout", "lost", "auth"].includes(error.facts.kind);
}
