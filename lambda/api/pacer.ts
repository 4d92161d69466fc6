import { createHash } from "node:crypto";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { lock } from "proper-lockfile";
import { keepJson, readJson } from "../../local/json";
import type { Ticks } from "./clock";
import { Line } from "./line";

/** Keeps calls apart so that the account's rate limits hold. */
export interface Pacer {
  /**
   * Waits for this call's turn.
   * @param name Of what the call creates, if it creates something.
   * @throws the reason of `signal`
   */
  turn(kind: PaceKind, options?: { readonly name?: string; readonly signal?: AbortSignal }): Promise<void>;
  /** After a refusal: no call of any process has its turn for so many seconds. */
  holdOff(kind: PaceKind, seconds: number): Promise<void>;
}

/** Launches have a limit of their own, beside that of all calls. */
export type PaceKind = "call" | "launch";

/** Seconds between calls: 1 call per second, 1 launch per 12 seconds and account. */
export const intervals: Readonly<Record<PaceKind, number>> = { call: 1, launch: 12 };

export interface SharedPacerOptions {
  /** Folder of the files by which processes share turns. */
  readonly folder: string;
  /** Whose limit it is: endpoint and API key. Only its hash is written. */
  readonly identity: () => string;
  readonly clock: Ticks;
  /**
   * Milliseconds (the cloud's) by which turns are further apart than the limit asks: a call that took longer on its way
   * than the next one arrives closer to it than it was sent. Default 0.
   */
  readonly jitterMs?: number;
}

type Turns = Record<PaceKind, number>;

/** Turns that are further away than this come from a clock that was set back, and are forgotten. */
const farthestTurnMs = 60 * 60_000;

/**
 * Gives turns across the calls of this process and of all processes of this machine that use the same key: each
 * reserves its next turn in a file, and gives it to whoever comes first in its line then. Where the folder cannot be
 * written, turns hold within this process only.
 */
export class SharedPacer implements Pacer {
  private readonly own: Turns = { call: 0, launch: 0 };
  private readonly lines: Record<PaceKind, Line> = { call: new Line(), launch: new Line() };
  private readonly served = new Set<PaceKind>();
  private queue: Promise<unknown> = Promise.resolve();

  constructor(private readonly options: SharedPacerOptions) {}

  turn(kind: PaceKind, { name, signal }: { name?: string; signal?: AbortSignal } = {}): Promise<void> {
    const turn = this.lines[kind].wait(name, signal);
    if (!this.served.has(kind)) void this.serve(kind);
    return turn;
  }

  private async serve(kind: PaceKind): Promise<void> {
    const line = this.lines[kind];
    this.served.add(kind);
    while (!line.isEmpty) {
      const { abandoned } = line;
      try {
        await this.nextTurn(kind, abandoned);
        line.next();
      } catch (error) {
        if (!abandoned.aborted) line.next(error);
      }
    }
    this.served.delete(kind);
  }

  /** Waits for the next turn of this process. */
  private async nextTurn(kind: PaceKind, signal: AbortSignal): Promise<void> {
    for (;;) {
      const { wait, taken } = await this.reserve((turns, now) => {
        // The next launch may be far away: it is waited for without a reservation, which would hold up other calls.
        if (kind === "launch" && turns.launch > now) return { wait: turns.launch - now, taken: false };
        const due = kind === "launch" && now - turns.launch < this.gap("call") / 2;
        const at = due ? now : this.besideLaunch(Math.max(now, turns.call), turns.launch);
        turns.call = Math.max(turns.call, at + this.gap("call"));
        if (kind === "launch") turns.launch = at + this.gap("launch");
        return { wait: at - now, taken: true };
      });
      await this.options.clock.sleep(wait, signal);
      if (taken) return;
    }
  }

  private gap(kind: PaceKind): number {
    return intervals[kind] * 1000 + (this.options.jitterMs ?? 0);
  }

  /**
   * The first time from `at` on that isn't kept free for the next launch, which would be late if it queued up behind the
   * calls of a hundred machines. Nobody has wanted a launch whose time has passed.
   */
  private besideLaunch(at: number, launch: number): number {
    const call = this.gap("call");
    return Math.abs(at - launch) < call ? launch + call : at;
  }

  async holdOff(kind: PaceKind, seconds: number): Promise<void> {
    await this.reserve((turns, now) => {
      turns[kind] = Math.max(turns[kind], now + seconds * 1000);
    });
  }

  /** Calls of one process queue up here, so that they do not contend for the file. */
  private reserve<T>(take: (turns: Turns, now: number) => T): Promise<T> {
    const reserved = this.queue.then(() => this.reserveNow(take));
    this.queue = reserved.catch(() => undefined);
    return reserved;
  }

  private async reserveNow<T>(take: (turns: Turns, now: number) => T): Promise<T> {
    const { folder, identity, clock } = this.options;
    const file = join(folder, `${createHash("sha256").update(identity()).digest("hex").slice(0, 16)}.json`);
    const release = await this.lockFile(folder, file);
    try {
      const now = clock.now();
      const shared = release === undefined ? undefined : readTurns(file);
      const turns = { call: latest("call", this.own, shared, now), launch: latest("launch", this.own, shared, now) };
      const taken = take(turns, now);
      Object.assign(this.own, turns);
      // Where that fails turns still hold within this process, and a refused call is retried.
      if (release !== undefined) keepJson(file, turns);
      return taken;
    } finally {
      // A lock that another process took over after it went stale cannot be released; that process has it now.
      await release?.().catch(() => undefined);
    }
  }

  private async lockFile(folder: string, file: string): Promise<(() => Promise<void>) | undefined> {
    try {
      mkdirSync(folder, { recursive: true, mode: 0o700 });
      return await lock(file, {
        realpath: false,
        // A holder that died is passed over after this time; a living one holds it for a few milliseconds.
        stale: 5_000,
        update: 1_000,
        retries: { retries: 400, factor: 1.2, minTimeout: 5, maxTimeout: 100, randomize: true },
        onCompromised: () => undefined,
      });
    } catch {
      return undefined;
    }
  }
}

function latest(kind: PaceKind, own: Turns, shared: Turns | undefined, now: number): number {
  const turn = Math.max(own[kind], shared?.[kind] ?? 0);
  return turn > now + farthestTurnMs ? 0 : turn;
}

function readTurns(file: string): Turns {
  const read = (readJson(file) ?? {}) as Partial<Record<PaceKind, unknown>>;
  return { call: finite(read.call), launch: finite(read.launch) };
}

function finite(value: unknown): number {
  return typeof value === "number" && Number.isFinite(value) ? value : 0;
}
