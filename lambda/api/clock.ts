import { setTimeout as delay } from "node:timers/promises";

/** Time that passes for the cloud: what a wait goes by. */
export interface Ticks {
  /** Milliseconds since the epoch, multiplied by the time scale: only differences mean anything. */
  now(): number;
  /** Waits for so many of the cloud's milliseconds. @throws the reason of the signal */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/**
 * The one clock of an endpoint. It alone knows how much faster than ours the cloud's time runs, and by how much this
 * machine's clock is wrong.
 */
export interface Clock extends Ticks {
  /** So many of the cloud's seconds, or as many of them as pass here in `realSeconds`, if those are more. */
  atLeast(seconds: number, realSeconds: number): number;
  /** Seconds that pass here in so many of the cloud's. */
  real(seconds: number): number;
  /** The date by the API, in milliseconds since the epoch: this machine's own where no answer has told it yet. */
  date(): number;
  /** The cloud's seconds since a date of the API's, ISO 8601. */
  since(date: string): number;
  /** Whether an answer has told the date. */
  isTold(): boolean;
  /** Takes the date that an answer of the API gives, between the dates here at which the call was sent and answered. */
  told(date: number, sentAt: number, answeredAt: number): void;
}

/** An answer gives its date in whole seconds, and is on its way for some time: this much is no difference of clocks. */
const smallestDifferenceMs = 5_000;

/**
 * The clock of a cloud whose time runs `timeScale` times as fast as ours: 1 for Lambda, more for an emulated cloud.
 * Every process of a machine sees the same time.
 */
export function cloudClock(timeScale = 1): Clock {
  let aheadMs: number | undefined;
  const date = (): number => Date.now() + (aheadMs ?? 0);
  return {
    now: () => Date.now() * timeScale,
    // Node's own error says that something was aborted, and not why.
    sleep: (ms, signal) =>
      delay(Math.max(0, ms) / timeScale, undefined, { signal }).catch(() => signal?.throwIfAborted()),
    atLeast: (seconds, realSeconds) => Math.max(seconds, realSeconds * timeScale),
    real: (seconds) => seconds / timeScale,
    date,
    isTold: () => aheadMs !== undefined,
    since: (then) => ((date() - Date.parse(then)) / 1000) * timeScale,
    told: (then, sentAt, answeredAt) => {
      if (!Number.isFinite(then)) return;
      const difference = then + 500 - (sentAt + answeredAt) / 2;
      aheadMs = Math.abs(difference) < smallestDifferenceMs + (answeredAt - sentAt) / 2 ? 0 : difference;
    },
  };
}
