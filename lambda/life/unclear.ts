import type { Cloud } from "../api/connect";
import { isKind } from "../api/errors";
import { waitFor } from "../api/waiting";

/**
 * Longest time, in seconds of the cloud, in which a call may come through whose answer was lost: it may be carried out
 * when its caller has long given up. Also some seconds on the wall, where the cloud's time runs faster.
 */
export function comesThroughWithin({ clock }: Cloud): number {
  return clock.atLeast(60, 5);
}

/**
 * Creates what its name makes unique in the account. Where the answer was lost, or the name is taken, it takes what
 * carries the name.
 * @param find What carries the name, or undefined. What it throws ends the search.
 * @throws LambdaApiError of the creation where nothing was found.
 */
export async function createdOrFound<T>(
  cloud: Cloud,
  create: () => Promise<T>,
  find: () => Promise<T | undefined>,
): Promise<T> {
  try {
    return await create();
  } catch (error) {
    if (!isKind(error, "unclear", "duplicate")) throw error;
    const timeoutSeconds = isKind(error, "unclear") ? comesThroughWithin(cloud) : 0;
    const { clock } = cloud;
    const found = await waitFor(find, { clock, timeoutSeconds, firstPauseSeconds: 2, longestPauseSeconds: 5 });
    if (found === undefined) throw error;
    return found;
  }
}
