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

/** A channel with a command on it. */
export interface RunningCommand {
  readonly channel: ClientChannel;
  /** Resolves at the command's end; rejects with `lost()` where the channel closes without an exit status. */
  readonly exit: Promise<Exit>;
}

/**
 * Listens for the end of a command. To be called in the callback that gives the channel: a quick command's exit status
 * may lie in the same packet as the channel's opening.
 */
export function watchCommand(channel: ClientChannel, lost: () => SshError): RunningCommand {
  const exit = new Promise<Exit>((resolve, reject) => {
    let known: Exit | undefined;
    channel.on("exit", (code: number | null, signal?: string) => {
      known = code === null ? { code: statusOf(signal), signal } : { code };
    });
    channel.on("close", () => {
      if (known === undefined) {
        reject(lost());
      } else {
        resolve(known);
      }
    });
  });
  // Callers often fail on a stream first; the exit then must not count as unhandled.
  exit.catch(() => {});
  return { channel, exit };
}

/** The command's end, unless `fed` (what its standard input is filled from) fails or `stop` is aborted before. */
export function endOf({ channel, exit }: RunningCommand, fed: Promise<void>, stop: AbortSignal): Promise<Exit> {
  return new Promise((resolve, reject) => {
    const fail = (reason: unknown): void => {
      channel.close();
      reject(reason);
    };
    const abort = (): void => fail(stop.reason);
    stop.addEventListener("abort", abort, { once: true });
    if (stop.aborted) {
      abort();
    }
    fed.catch(fail);
    exit.then(resolve, reject).finally(() => stop.removeEventListener("abort", abort));
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
    if (source.errored !== null) {
      reject(source.errored);
    }
    source.on("error", reject);
    source.on("end", resolve);
    channel.on("close", () => {
      source.unpipe(channel);
      resolve();
    });
    source.pipe(channel);
  });
}

/** Keeps the last `limit` bytes of a stream, and gives them as text when asked. */
export function collect(stream: Readable, limit: number): () => string {
  let chunks: Buffer[] = [];
  let held = 0;
  stream.on("data", (chunk: Buffer) => {
    chunks.push(chunk);
    held += chunk.length;
    // Compacts only at twice the limit, so that each byte is copied a bounded number of times.
    if (held > 2 * limit) {
      chunks = [lastBytes(chunks, limit)];
      held = Math.min(held, limit);
    }
  });
  return () => lastBytes(chunks, limit).toString("utf8");
}

function lastBytes(chunks: Buffer[], limit: number): Buffer {
  const all = Buffer.concat(chunks);
  return all.subarray(Math.max(0, all.length - limit));
}

/** The last `lines` lines of a text, without blank ends. */
export function tail(text: string, lines: number): string {
  return text.trim().split("\n").slice(-lines).join("\n");
}
