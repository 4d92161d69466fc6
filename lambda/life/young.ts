import type { Cloud } from "../api/connect";

/** How many answers in a row must not know an instance until it counts as gone: its API is eventually consistent. */
export const looksUntilGone = 3;

/** The cloud's seconds between two such looks. */
export const pauseBetweenLooksSeconds = 4;

/**
 * The cloud's seconds after a launch in which the API may not show the instance yet. Also some seconds on the wall, where
 * the cloud's time runs faster.
 */
export function shownWithinSeconds({ clock }: Cloud): number {
  return clock.atLeast(180, 3);
}

/** Clocks of two machines differ by no more than this. What was launched later than that has a wrong time. */
const mostSkewSeconds = 300;

/** Whether an instance was launched so shortly ago that the API may not show it yet. Without a time: no. */
export function isYoung(cloud: Cloud, launchedAt: string | undefined): boolean {
  if (launchedAt === undefined) return false;
  const age = cloud.clock.since(launchedAt);
  return age > -cloud.clock.atLeast(0, mostSkewSeconds) && age < shownWithinSeconds(cloud);
}
