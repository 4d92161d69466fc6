import { setTimeout as sleep } from "node:timers/promises";
import { isRetryable, SshError, SshSession } from "./session";
import type { SshAccess } from "./types";

/** Whether an instance can be spoken to. `since`: milliseconds since the epoch. */
export type Link =
  | { readonly state: "connecting" | "connected"; readonly since: number }
  | { readonly state: "lost"; readonly since: number; readonly reason: string };

const longestPauseSeconds = 8;
/** What time does not heal (another host key, a refused login) is looked at again now and then: the instance may be replaced. */
const refusedPauseSeconds = 30;

/**
 * One SSH connection that many share for a long time. It is made again whenever it is lost, until `close()`; a connection
 * on which nothing comes back is given up after about 25 seconds.
 */
export class KeptSession {
  private readonly stop = new AbortController();
  private current: SshSession | undefined;
  private waiting: ((session: SshSession | undefined) => void)[] = [];

  /** @param onLink Told of each change; `since` of a lost connection stays while it is tried again. */
  constructor(
    private readonly access: SshAccess,
    private readonly onLink: (link: Link) => void,
  ) {
    void this.keep();
  }

  get closed(): boolean {
    return this.stop.signal.aborted;
  }

  /**
   * Runs `fn` on the connection, once there is one.
   * @returns what it returns, or undefined where the connection was lost meanwhile, or closed: the caller tries again.
   */
  async use<T>(fn: (session: SshSession) => Promise<T>): Promise<T | undefined> {
    const session = await this.session();
    if (session === undefined) return undefined;
    try {
      return await fn(session);
    } catch (error) {
      if (this.closed || isRetryable(error)) return undefined;
      throw error;
    }
  }

  close(): void {
    this.stop.abort();
    this.current?.close();
    for (const give of this.waiting.splice(0)) give(undefined);
  }

  private session(): Promise<SshSession | undefined> {
    if (this.closed || this.current !== undefined) return Promise.resolve(this.closed ? undefined : this.current);
    return new Promise((resolve) => this.waiting.push(resolve));
  }

  private async keep(): Promise<void> {
    const { signal } = this.stop;
    let pause = 1;
    let lostAt: number | undefined;
    this.onLink({ state: "connecting", since: Date.now() });
    while (!this.closed) {
      let refused = false;
      let reason: string;
      try {
        const session = await SshSession.connect(this.access, { signal, timeoutSeconds: 15, keepaliveSeconds: 5 });
        this.current = session;
        this.onLink({ state: "connected", since: Date.now() });
        for (const give of this.waiting.splice(0)) give(session);
        const error = await session.ended;
        this.current = undefined;
        pause = 1;
        lostAt = undefined;
        reason = error?.message ?? "The connection was closed by the instance.";
      } catch (error) {
        reason = (error as Error).message;
        refused = error instanceof SshError && !isRetryable(error);
      }
      if (this.closed) return;
      lostAt ??= Date.now();
      this.onLink({ state: "lost", since: lostAt, reason });
      await sleep((refused ? refusedPauseSeconds : pause) * 1000, undefined, { signal }).catch(() => {});
      pause = Math.min(pause * 1.5, longestPauseSeconds);
    }
  }
}
