import { setTimeout as sleep } from "node:timers/promises";
import { lock } from "proper-lockfile";
import type { Listener } from "../listener";

/** Whom to tell of a wait, and what ends it. */
export interface Waiting {
  readonly signal?: AbortSignal;
  readonly onProgress?: Listener["progress"];
  readonly onStatus?: Listener["status"];
}

/**
 * Runs `work` while no other process of this machine does so for the same path: `results --watch` in one terminal, a
 * page's button and `down` in another may well meet. Who comes later waits, and is told so. A holder that died is passed
 * over after ten seconds.
 * @param path Need not exist; its folder must. `<path>.lock` beside it is the lock, a folder.
 * @param work Is given a signal: the caller's, and where another process took over because this one slept.
 * @throws What `work` throws; the reason of `signal`; Error where the lock cannot be made, by Node's words.
 */
export async function oneAtATime<T>(
  path: string,
  { signal, onProgress, onStatus }: Waiting,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const overtaken = new AbortController();
  const release = await take();
  try {
    return await work(AbortSignal.any([overtaken.signal, ...(signal === undefined ? [] : [signal])]));
  } finally {
    // It is no longer there to be given back where another took over.
    await release().catch(() => undefined);
  }

  async function take(): Promise<() => Promise<void>> {
    const onCompromised = (): void =>
      overtaken.abort(
        new Error(`Another process took over the work in ${path} while this one stood still. Run the command again.`),
      );
    for (let tries = 0; ; tries++) {
      signal?.throwIfAborted();
      try {
        return await lock(path, { realpath: false, stale: 10_000, update: 2_000, onCompromised });
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "ELOCKED") throw error;
      }
      if (tries === 0) onProgress?.("Another command brings these results home: waiting for it");
      onStatus?.("waiting for another download");
      await sleep(1000, undefined, { signal }).catch(() => undefined);
    }
  }
}
