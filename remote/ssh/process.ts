import { constants } from "node:os";
import { Readable } from "node:stream";
import type { ClientChannel } from "ssh2";
import type { SshError } from "./error";

/** How a command ended. */
export interface Exit {
  /** Exit status; 128 + the signal's number where a signal ended the command. */
  readonly code: number;
  readonly signal?: string;
}

/**
 * Waits for the end of a command. Rejects with `lost()` where the channel closes without an exit status, with the
 * failure of `fed` (what its standard input is filled from), or with the reason of `stop`.
 */
export function exitOf(
  channel: ClientChannel,
  lost: () => SshError,
  fed: Promise<void> = Promise.resolve(),
  stop?: AbortSignal,
): Promise<Exit> {
  return new Promise((resolve, reject) => {
    let exit: Exit | undefined;
    const abort = (): void => {
      channel.close();
      reject(stop?.reason);
    };
    stop?.addEventListener("abort", abort, { once: true });
    if (stop?.aborted) {
      abort();
    }
    channel.on("exit", (code: number | null, signal?: string) => {
      exit = code === null ? { code: statusOf(signal), signal } : { code };
    });
    channel.on("close", () => {
      stop?.removeEventListener("abort", abort);
      if (exit === undefined) {
        reject(lost());
      } else {
        resolve(exit);
      }
    });
    fed.catch((error: unknown) => {
      channel.close();
      reject(error);
    });
  });
}

function statusOf(signal: string | undefined): number {
  return 128 + (constants.signals[signal as NodeJS.Signals] ?? 0);
}

/** Fills a command's standard input and closes it. Resolves when the source is used up; the reader may stop early. */
export function feed(channel: ClientChannel, source: string | Buffer | Readable | undefined): Promise<void> {
  if (!(source instanceof Readable)) {
    channel.end(source);
    return Promise.resolve();
  }
  return new Promise((resolve, reject) => {
    source.on("error", reject);
    source.on("end", resolve);
    channel.on("close", () => {
      source.unpipe(channel);
      resolve();
    });
    source.pipe(channel);
  });
}

/** Keeps the last `limit` bytes of a stream. */
export function collect(
  stream: Readable,
  limit: number,
  onChunk?: (chunk: Buffer) => void,
): { text: () => string; cut: () => boolean } {
  let chunks: Buffer[] = [];
  let held = 0;
  let cut = false;
  stream.on("data", (chunk: Buffer) => {
    onChunk?.(chunk);
    chunks.push(chunk);
    held += chunk.length;
    // Compacts only at twice the limit, so that each byte is copied a bounded number of times.
    if (held > 2 * limit) {
      chunks = [lastBytes(chunks, limit)];
      held = Math.min(held, limit);
      cut = true;
    }
  });
  return {
    text: () => {
      cut ||= held > limit;
      return lastBytes(chunks, limit).toString("utf8");
    },
    cut: () => cut,
  };
}

function lastBytes(chunks: Buffer[], limit: number): Buffer {
  const all = Buffer.concat(chunks);
  return all.subarray(Math.max(0, all.length - limit));
}

/** The last `lines` lines of a text, without blank ends. */
export function tail(text: string, lines: number): string {
  return text.trim().split("\n").slice(-lines).join("\n");
}
