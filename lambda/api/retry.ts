import type { Ticks } from "./clock";
import { LambdaApiError } from "./errors";

/** Which failures a call is repeated after. */
export type RetryRule = (error: LambdaApiError) => boolean;

/** For calls that do the same however often they are made: everything that may pass by itself. */
export const repeatable: RetryRule = (error) => error.facts.retryable;

/** For launches and creations: only a call that was certainly not executed because there were too many. */
export const afterRateLimit: RetryRule = (error) => error.facts.kind === "rate-limit";

/**
 * For terminations. Terminating what is terminating already fails with `global/unknown`, so that code asks for a look
 * at the instance rather than for another try.
 */
export const exceptUnknown: RetryRule = (error) => error.facts.retryable && error.facts.code !== "global/unknown";

/** For calls whose answer can be done without. */
export const never: RetryRule = () => false;

export interface RetryOptions {
  readonly clock: Ticks;
  readonly rule: RetryRule;
  /** Tries in all. Default 7: about two minutes. */
  readonly attempts?: number;
  /** First pause in seconds; it doubles, up to a minute. Default 2. */
  readonly firstPauseSeconds?: number;
  /** Called before each pause. */
  readonly onRetry?: (error: LambdaApiError, pauseSeconds: number) => void;
  readonly signal?: AbortSignal;
}

const longestPauseSeconds = 60;

/** Runs `run` again after failures that the rule allows, with growing pauses (a Retry-After is honoured up to a minute). */
export async function withRetries<T>(run: () => Promise<T>, options: RetryOptions): Promise<T> {
  const { clock, rule, attempts = 7, signal } = options;
  let pause = options.firstPauseSeconds ?? 2;
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await run();
    } catch (error) {
      if (!(error instanceof LambdaApiError) || !rule(error) || attempt >= attempts) throw error;
      const jittered = pause * (0.5 + 0.5 * Math.random());
      const seconds = Math.min(Math.max(jittered, error.facts.retryAfterSeconds ?? 0), longestPauseSeconds);
      options.onRetry?.(error, seconds);
      await clock.sleep(seconds * 1000, signal);
      pause = Math.min(pause * 2, longestPauseSeconds);
    }
  }
}
