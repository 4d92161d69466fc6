import { setTimeout as sleep } from "node:timers/promises";
import { lock } from "proper-lockfile";

/** How a lock is waited for, and what becomes of one that is lost. */
export interface LockOptions {
  /** Seconds after which a holder that gives no sign of life has died, and is passed over. */
  readonly staleSeconds: number;
  /** Called once a second where another holds the lock, with how often it was asked for before. */
  readonly onWait: (tries: number) => void;
  /** Called where another took over, because this process stood still. */
  readonly onLost: () => void;
  /** Ends the wait. */
  readonly signal?: AbortSignal;
}

/**
 * Takes a lock that no two processes of this machine hold at a time, and waits for it where another has it.
 * @param path Need not exist; its folder must. `<path>.lock` beside it is the lock, a folder.
 * @returns What gives it back. It does not throw where another took over meanwhile.
 * @throws The reason of `signal`; Error where the lock cannot be made, by Node's words.
 */
export async function takeLock(path: string, options: LockOptions): Promise<() => Promise<void>> {
  const { staleSeconds, onWait, onLost: onCompromised, signal } = options;
  const stale = staleSeconds * 1000;
  for (let tries = 0; ; tries++) {
    signal?.throwIfAborted();
    try {
      const release = await lock(path, { realpath: false, stale, update: stale / 5, onCompromised });
      return () => release().catch(() => undefined);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ELOCKED") throw error;
    }
    onWait(tries);
    await sleep(1000, undefined, { signal }).catch(() => undefined);
  }
}
