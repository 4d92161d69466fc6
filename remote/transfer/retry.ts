import { setTimeout as sleep } from "node:timers/promises";
import type { Listener } from "../../local/listener";
import { isRetryable, SshSession } from "../session";
import { giveBack, takeKept } from "../ssh/kept";
import type { SshAccess } from "../types";

/** How long to keep on. */
export interface RetryOptions {
  /** Tries without any progress before giving up. Default 6, over about a minute and a half. */
  readonly attempts?: number;
  /** Takes a line for people when the connection is lost. */
  readonly onProgress?: Listener["progress"];
  readonly signal?: AbortSignal;
}

/** Whom a transfer tells how far it is, and how long it keeps on. */
export interface TransferOptions extends RetryOptions {
  readonly onStatus?: Listener["status"];
}

/** Handed to what is tried. */
export interface Attempt {
  /** From 1. */
  readonly number: number;
  /** Something was reached that the next try need not do again: the count of vain tries begins anew. */
  readonly progressed: () => void;
}

/**
 * Runs `fn` on a connection, one that was kept where there is one, and again on a new one as often as the connection is
 * lost. `fn` must be able to go on where it was. Errors that time does not heal are thrown at once.
 */
export async function withRetries<T>(
  access: SshAccess,
  fn: (session: SshSession, attempt: Attempt) => Promise<T>,
  options: RetryOptions = {},
): Promise<T> {
  const { attempts = 6, onProgress, signal } = options;
  let vain = 0;
  for (let number = 1; ; number++) {
    signal?.throwIfAborted();
    const known = takeKept(access);
    let session = known;
    try {
      session ??= await SshSession.connect(access, { signal });
      const progressed = (): void => {
        vain = 0;
      };
      const result = await fn(session, { number, progressed });
      giveBack(session);
      return result;
    } catch (error) {
      session?.close();
      signal?.throwIfAborted();
      if (!isRetryable(error)) throw error;
      // It may have been lost while nobody used it, which tells nothing of a new one.
      if (known !== undefined) continue;
      vain++;
      if (vain >= attempts) throw error;
      const pause = Math.min(2 ** (vain - 1), 30);
      onProgress?.(`${error.message} Trying again in ${pause} s.`);
      await sleep(pause * 1000, undefined, { signal }).catch(() => signal?.throwIfAborted());
    }
  }
}

/** Uses the session given, or connections of its own with retries where an access is given. */
export async function onTarget<T>(
  target: SshSession | SshAccess,
  fn: (session: SshSession, attempt: Attempt) => Promise<T>,
  options: RetryOptions = {},
): Promise<T> {
  return target instanceof SshSession
    ? fn(target, { number: 1, progressed: () => {} })
    : withRetries(target, fn, options);
}
