import { channel } from "node:diagnostics_channel";
import { setImmediate as turnOfLoop } from "node:timers/promises";
import type { Clock } from "../../lambda/api/clock";

/** Turns of the event loop without work after which nothing is left to do but wait. */
const idleTurns = 4;

interface Sleeper {
  readonly until: number;
  readonly wake: () => void;
}

/**
 * A clock that stands still while this process works and jumps to the next end of a sleep when it has nothing else to do.
 * Hours of waiting so take as long as the work in between, and a busy machine changes no figure.
 */
export class SimulatedClock implements Clock {
  private time = Date.parse("2026-01-01T00:00:00Z");
  private readonly sleepers = new Set<Sleeper>();
  private readonly exchanges = new Set<unknown>();

  constructor() {
    channel("undici:request:create").subscribe((call) => this.exchanges.add((call as { request: unknown }).request));
    for (const end of ["trailers", "error"]) {
      const ended = (call: unknown): boolean => this.exchanges.delete((call as { request: unknown }).request);
      channel(`undici:request:${end}`).subscribe(ended);
    }
  }

  readonly now = (): number => this.time;
  readonly date = this.now;
  readonly atLeast = (seconds: number, realSeconds: number): number => Math.max(seconds, realSeconds);
  readonly real = (seconds: number): number => seconds;
  readonly since = (then: string): number => (this.time - Date.parse(then)) / 1000;
  readonly isTold = (): boolean => true;
  readonly told = (): void => undefined;

  readonly sleep = (ms: number, signal?: AbortSignal): Promise<void> =>
    new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const end = (settle: () => void): void => {
        this.sleepers.delete(sleeper);
        signal?.removeEventListener("abort", abort);
        settle();
      };
      const abort = (): void => end(() => reject(signal?.reason));
      const sleeper = { until: this.time + Math.max(0, ms), wake: () => end(resolve) };
      signal?.addEventListener("abort", abort, { once: true });
      this.sleepers.add(sleeper);
    });

  /** Lets time pass until some work is done. */
  async during<T>(work: Promise<T>): Promise<T> {
    let done = false;
    const settled = work.finally(() => {
      done = true;
    });
    settled.catch(() => undefined);
    while (!done) {
      await this.idle();
      let next: Sleeper | undefined;
      for (const each of this.sleepers) if (next === undefined || each.until < next.until) next = each;
      if (next === undefined) continue;
      this.time = Math.max(this.time, next.until);
      next.wake();
    }
    return settled;
  }

  private async idle(): Promise<void> {
    for (let turns = 0; turns < idleTurns; turns++) {
      await turnOfLoop();
      const works =
        this.exchanges.size > 0 || process.getActiveResourcesInfo().some((what) => what.startsWith("FSReq"));
      if (works) turns = -1;
    }
  }
}
