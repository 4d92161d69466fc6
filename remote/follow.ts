import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { ask, type Question } from "./conversation";
import { isRetryable, SshSession } from "./session";
import type { SshAccess } from "./types";

/** Where in a log to begin. */
export type LogStart =
  /** After so many bytes. */
  | { readonly byte: number }
  /** With so many last lines. */
  | { readonly lines: number }
  /** With what was written in the last seconds, or since a time (seconds since the epoch); up to five seconds early. */
  | { readonly secondsAgo: number }
  | { readonly since: number };

/** How to follow a log. */
export interface FollowOptions {
  /** Default: at its beginning. */
  readonly start?: LogStart;
  /** End at the log's present end. */
  readonly once?: boolean;
  /**
   * Of each of the last lines with which it starts: bytes from which on a progress bar's earlier states are left out.
   * Default: none is.
   */
  readonly barBytes?: number;
  /**
   * What the log got, in order, each byte once; `offset`: where in the log the chunk begins. What it returns is waited
   * for before more is read.
   */
  readonly onChunk: (chunk: Buffer, offset: number) => void | Promise<void>;
  /** A line for people when the connection is lost, or the log begins anew because it was cut short or replaced. */
  readonly onProgress?: (line: string) => void;
  /** Ends the following without an error. */
  readonly signal?: AbortSignal;
}

const firstPauseSeconds = 0.2;
const longestPauseSeconds = 10;
const keepaliveSeconds = 5;
/** Bytes of a piece: as many as arrive quickly, so that neither a slow line is overrun nor a fast one waits. */
const leastBytes = 64 * 1024;
const mostBytes = 4 * 1024 ** 2;
const quickMs = 1000;
/** As on the instance: by the last bytes that are known it is seen whether the log is still the same. */
const anchorBytes = 64;

/** A piece of a log: where it begins, and its bytes. */
interface Piece {
  readonly offset: number;
  readonly data: Buffer;
}

/** As `piece` in scripts/agent/run/follow.py answers. */
const answered = z.union([
  z.object({ missing: z.enum(["log", "times"]) }),
  z.object({ offset: z.number(), data: z.string(), size: z.number(), over: z.boolean() }),
]);
type Answer = z.infer<typeof answered>;

/**
 * Follows an experiment's log until the attempt that is going on has ended (or only to the log's end, where none is).
 * A lost connection is made again as often as needed, and goes on at the byte where the last one ended.
 * @returns the number of bytes known, to go on from later.
 * @throws SshError for what time does not heal: another host key, a refused login.
 */
export async function followLog(access: SshAccess, experiment: string, options: FollowOptions): Promise<number> {
  const { signal, onProgress } = options;
  const place = new LogPlace(options.start ?? { byte: 0 });
  let pause = firstPauseSeconds;
  while (!stopped(signal)) {
    let session: SshSession | undefined;
    const before = place.offset;
    try {
      session = await SshSession.connect(access, { signal, keepaliveSeconds });
      if (await followOn(session, experiment, place, options)) return place.offset ?? 0;
    } catch (error) {
      if (stopped(signal)) break;
      if (!isRetryable(error)) throw error;
      if (place.offset !== before) pause = firstPauseSeconds;
      onProgress?.(`${(error as Error).message} Going on in ${pause} s.`);
    } finally {
      session?.close();
    }
    await sleep(pause * 1000, undefined, { signal }).catch(() => {});
    pause = Math.min(Math.max(1, pause * 2), longestPauseSeconds);
  }
  return place.offset ?? 0;
}

/**
 * Follows a log on a connection that is there, from `place` on and taking that along: after a lost connection the same
 * place goes on where it was. `options.signal` closes the connection.
 * @returns false where there is no log yet.
 * @throws SshError kind `lost` where the connection ends first.
 */
export async function followOn(
  session: SshSession,
  experiment: string,
  place: LogPlace,
  { once, barBytes, onChunk, onProgress, signal }: Omit<FollowOptions, "start">,
): Promise<boolean> {
  const stop = (): void => session.close();
  signal?.addEventListener("abort", stop, { once: true });
  try {
    let end = Number.POSITIVE_INFINITY;
    let most = leastBytes;
    while (!stopped(signal)) {
      const asked = Date.now();
      const answer = await ask(session, question(experiment, place, { most, wait: once !== true, bar: barBytes }));
      if (stopped(signal)) break;
      if ("missing" in answer) {
        if (answer.missing === "log") return once === true;
        throw new Error(`The log of ${experiment} has no times: its run was started before they were kept.`);
      }
      const whole = Buffer.from(answer.data, "base64");
      if (Date.now() - asked > quickMs) most = Math.max(most / 2, leastBytes);
      else if (whole.length === most) most = Math.min(most * 2, mostBytes);
      if (once === true) end = Math.min(end, answer.size);
      const { offset, over } = answer;
      const piece = { offset, data: whole.subarray(0, Math.max(0, end - offset)) };
      if (!place.goesOn(piece)) onProgress?.("The log was truncated or replaced. Following it from its beginning.");
      place.take(piece);
      if (piece.data.length > 0) await onChunk(piece.data, offset);
      if (over || offset + piece.data.length >= end) return true;
    }
    return true;
  } finally {
    signal?.removeEventListener("abort", stop);
  }
}

function question(
  experiment: string,
  place: LogPlace,
  how: { most: number; wait: boolean; bar?: number },
): Question<Answer> {
  return {
    ask: "log",
    document: { experiment, start: place.word(), ...how },
    answer: answered,
    what: `Reading the log of ${experiment}`,
    timeoutSeconds: 60,
  };
}

function stopped(signal: AbortSignal | undefined): boolean {
  return signal?.aborted === true;
}

/** How far a log is known. */
export class LogPlace {
  /** Undefined until the instance has said where the start is. */
  offset: number | undefined;
  private anchor = Buffer.alloc(0);

  constructor(private readonly start: LogStart) {}

  /** What the instance is asked to begin with. */
  word(): string {
    if (this.offset !== undefined) return `byte:${this.offset}:${this.anchor.toString("hex")}`;
    if ("byte" in this.start) return `byte:${this.start.byte}:`;
    if ("lines" in this.start) return `lines:${this.start.lines}`;
    return "since" in this.start ? `at:${this.start.since}` : `ago:${this.start.secondsAgo}`;
  }

  goesOn({ offset }: Piece): boolean {
    return this.offset === undefined || this.offset === offset;
  }

  take(piece: Piece): void {
    if (!this.goesOn(piece)) this.anchor = Buffer.alloc(0);
    this.offset = piece.offset + piece.data.length;
    this.anchor = Buffer.concat([this.anchor, piece.data.subarray(-anchorBytes)]).subarray(-anchorBytes);
  }
}
