import { setTimeout as delay } from "node:timers/promises";

/** Time as the cloud that we talk to counts it. */
export interface Clock {
  /** Milliseconds since the epoch, multiplied by the time scale: only differences mean anything. */
  now(): number;
  /** Waits for so many of the cloud's milliseconds. @throws the reason of the signal */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/**
 * The clock of a cloud whose time runs `timeScale` times as fast as ours: 1 for Lambda, more for an emulated cloud.
 * Every process of a machine sees the same time.
 */
export function cloudClock(timeScale = 1): Clock {
  return {
    now: () => Date.now() * timeScale,
    // Node's own error says that something was aborted, and not why.
    sleep: (ms, signal) =>
      delay(Math.max(0, ms) / timeScale, undefined, { signal }).catch(() => signal?.throwIfAborted()),
  };
}
