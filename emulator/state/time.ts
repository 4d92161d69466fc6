/** A time as Lambda writes it: microseconds and `+00:00`. */
export const isoTime = (ms: number): string => new Date(ms).toISOString().replace("Z", "000+00:00");

/**
 * The cloud's own clock: as this machine's, but it never goes back. If this machine's clock is set back, time goes on
 * from where it was; otherwise boots would wait, and bills would shrink, until it has caught up.
 *
 * @param from the newest time that the cloud has told, in milliseconds since the Unix epoch
 */
export function steadyClock(now: () => number, from: number): () => number {
  let last = from;
  let aheadMs = 0;
  return () => {
    const time = now() + aheadMs;
    aheadMs += Math.max(0, last - time);
    last = Math.max(last, time);
    return last;
  };
}
