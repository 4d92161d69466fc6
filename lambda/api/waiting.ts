import type { Ticks } from "./clock";

/** How long and how often to look. All times are the cloud's. */
export interface Waiting {
  readonly clock: Ticks;
  readonly timeoutSeconds: number;
  /** Pause before the second look. Default 5. */
  readonly firstPauseSeconds?: number;
  /** Longest pause; each is half as long again as the one before it. Default 10. */
  readonly longestPauseSeconds?: number;
  /** 0 to 1. Default Math.random: pauses vary by a fifth so that many waiters do not meet. */
  readonly random?: () => number;
  /** Called before each pause with the seconds that have passed. */
  readonly onWait?: (elapsedSeconds: number) => void;
  readonly signal?: AbortSignal;
}

/**
 * Calls `look` until it gives a value, and returns that; undefined where the time is over. Looks at least once, and
 * once more at the end of the time. What `look` throws ends the wait.
 */
export async function waitFor<T>(look: () => Promise<T | undefined>, options: Waiting): Promise<T | undefined> {
  const { clock, signal, random = Math.random } = options;
  const longest = (options.longestPauseSeconds ?? 10) * 1000;
  const start = clock.now();
  const end = start + options.timeoutSeconds * 1000;
  let pause = Math.min((options.firstPauseSeconds ?? 5) * 1000, longest);
  for (;;) {
    signal?.throwIfAborted();
    const found = await look();
    if (found !== undefined) return found;
    const now = clock.now();
    if (now >= end) return undefined;
    options.onWait?.((now - start) / 1000);
    await clock.sleep(Math.min(pause * (0.9 + 0.2 * random()), end - now), signal);
    pause = Math.min(pause * 1.5, longest);
  }
}

/** Seconds in words: `40 s`, `3 min`, `2 h 5 min`. */
export function duration(seconds: number): string {
  if (seconds < 90) return `${Math.round(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 120) return `${minutes} min`;
  const rest = minutes % 60;
  return `${Math.floor(minutes / 60)} h${rest === 0 ? "" : ` ${rest} min`}`;
}
