import type { Cloud } from "../api/connect";

/** How many answers in a row must not know an instance until it counts as gone: its API is eventually consistent. */
export const looksUntilGone = 3;

/** The cloud's seconds between two such looks. */
export const pauseBetweenLooksSeconds = 4;

/**
 * The cloud's seconds after a launch in which the API may not show the instance yet. Also some seconds on the wall, where
 * the cloud's time runs faster.
 */
export function shownWithinSeconds({ endpoint }: Cloud): number {
  return Math.max(180, 3 * endpoint.timeScale);
}

/** Clocks of two machines differ by no more than this. What was launched later than that has a wrong time. */
const mostSkewSeconds = 300;

/** Whether an instance was launched so shortly ago that the API may not show it yet. Without a time: no. */
export function isYoung(cloud: Cloud, launchedAt: string | undefined): boolean {
  if (launchedAt === undefined) return false;
  const ageSeconds = (Date.now() - Date.parse(launchedAt)) / 1000;
  return ageSeconds > -mostSkewSeconds && ageSeconds * cloud.endpoint.timeScale < shownWithinSeconds(cloud);
}
