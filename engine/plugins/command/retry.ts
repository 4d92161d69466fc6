import { setTimeout as sleep } from "node:timers/promises";

// The published plugin's schedule: sdk/go/common/util/retry/until.go of pulumi/pulumi.
const FIRST_DELAY_MS = 100;
const BACKOFF = 1.5;
const LONGEST_DELAY_MS = 5000;

/**
 * Tries until it works or has failed more often than the limit allows.
 * @param limit failures to live with; -1 never gives up
 * @param failed told of each failure that is followed by another attempt, counted from 1
 */
export async function retry<T>(
  limit: number,
  signal: AbortSignal,
  attempt: () => Promise<T>,
  failed: (attempts: number) => void,
): Promise<T> {
  let delay = FIRST_DELAY_MS;
  for (let failures = 0; ; failures += 1) {
    signal.throwIfAborted();
    try {
      return await attempt();
    } catch (error) {
      signal.throwIfAborted();
      const reason = error instanceof Error ? error.message : String(error);
      if (limit > -1 && failures + 1 > limit)
        throw new Error(`after ${failures} failed attempts: ${reason}`, { cause: error });
      failed(failures + 1);
    }
    await sleep(delay, undefined, { signal }).catch(() => signal.throwIfAborted());
    delay = Math.min(delay * BACKOFF, LONGEST_DELAY_MS);
  }
}
