import type { Cloud } from "../api/connect";
import { isKind, type LambdaApiError } from "../api/errors";
import { duration, waitFor } from "../api/waiting";

/** The cloud's seconds for which a deletion waits for what still uses the thing. */
const inUseSeconds = 900;

/**
 * Deletes something that instances use, and waits for those that are still terminating. Gone already is fine. Throws
 * where it is still in use after 15 minutes, naming what to do.
 */
export async function deleteUnused(
  cloud: Cloud,
  what: string,
  remove: () => Promise<void>,
  status?: (phase: string, detail: string) => void,
): Promise<void> {
  let inUse: LambdaApiError | undefined;
  const attempt = async (): Promise<true | undefined> => {
    try {
      await remove();
      return true;
    } catch (error) {
      if (isKind(error, "not-found")) return true;
      if (!isKind(error, "in-use", "conflict")) throw error;
      inUse = error;
      return undefined;
    }
  };
  const gone = await waitFor(attempt, {
    clock: cloud.clock,
    timeoutSeconds: inUseSeconds,
    firstPauseSeconds: 3,
    longestPauseSeconds: 15,
    onWait: () => status?.("waiting until nothing uses it", what),
  });
  if (gone) return;
  throw new Error(
    `${what} is still in use after ${duration(inUseSeconds)}: terminate the instances that use it, then run again.`,
    {
      cause: inUse,
    },
  );
}
