import type { Settings } from "../settings";

interface Bucket {
  tokens: number;
  /** Real milliseconds when `tokens` was true. */
  at: number;
}

/** Token buckets per API key: one for all calls, one more for launches. */
export class RateLimiter {
  private readonly buckets = new Map<string, Bucket>();

  constructor(
    private readonly settings: () => Settings,
    private readonly now: () => number,
  ) {}

  /**
   * Takes a token for one call.
   *
   * @returns 0 if the call may proceed, else the real seconds until it could.
   */
  take(key: string, isLaunch: boolean): number {
    const { rateLimit, timeScale } = this.settings();
    if (!rateLimit.enabled) return 0;
    const general = this.wait(`${key} general`, rateLimit.generalSeconds / timeScale, rateLimit.burst);
    if (general > 0) return general;
    return isLaunch ? this.wait(`${key} launch`, rateLimit.launchSeconds / timeScale, 1) : 0;
  }

  private wait(name: string, interval: number, burst: number): number {
    if (interval <= 0) return 0;
    const now = this.now();
    const before = this.buckets.get(name) ?? { tokens: Math.max(1, burst), at: now };
    const tokens = Math.min(Math.max(1, burst), before.tokens + (now - before.at) / 1000 / interval);
    const allowed = tokens >= 1;
    this.buckets.set(name, { tokens: allowed ? tokens - 1 : tokens, at: now });
    return allowed ? 0 : (1 - tokens) * interval;
  }
}
