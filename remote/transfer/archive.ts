import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { Readable } from "node:stream";
import { progressMeter } from "../../local/folder/progress";
import { callAgent } from "../agent";
import type { SshSession } from "../session";
import type { SshAccess } from "../types";
import { type Attempt, onTarget, type TransferOptions } from "./retry";

/** A single big file to upload. */
export interface UploadArchiveOptions extends TransferOptions {
  readonly localArchive: string;
  /** Path on the instance, relative to the home folder or absolute. */
  readonly remotePath: string;
  /** SHA-256 of the file. */
  readonly sha256: string;
}

/** Uploads one file, goes on at the byte where an earlier try ended, and checks it before it gets its name. */
export async function uploadArchive(
  target: SshSession | SshAccess,
  options: UploadArchiveOptions,
): Promise<{ readonly sentBytes: number; readonly seconds: number }> {
  const started = Date.now();
  let sentBytes = 0;
  const run = async (session: SshSession, attempt: Attempt): Promise<void> => {
    for (let round = 1; ; round++) {
      const { size: total } = await stat(options.localArchive);
      const meter = progressMeter("sending", total, options.onStatus);
      const count = (bytes: number): void => {
        sentBytes += bytes;
        attempt.progressed();
        meter(bytes);
      };
      if (await uploadOnce(session, options, total, count)) {
        return;
      }
      if (round === 2) {
        throw new Error(
          `${options.localArchive} no longer has the checksum ${options.sha256}: it changed during the upload. Run the command again.`,
        );
      }
    }
  };
  await onTarget(target, run, options);
  return { sentBytes, seconds: (Date.now() - started) / 1000 };
}

async function uploadOnce(
  session: SshSession,
  options: UploadArchiveOptions,
  total: number,
  count: (bytes: number) => void,
): Promise<boolean> {
  const { localArchive, remotePath, sha256, signal } = options;
  const look = { verb: "archive-size", document: { file: remotePath } };
  const seen = await callAgent(session, look, `Looking at ${remotePath}`, { signal });
  const there = JSON.parse(seen) as { complete: boolean; size: number; sha256?: string };
  if (there.complete && there.sha256 === sha256) {
    return true;
  }
  const offset = there.complete ? 0 : Math.min(there.size, total);
  const source = Readable.from(piecesOf(localArchive, offset, total, count), { objectMode: true, highWaterMark: 2 });
  const append = { verb: "archive-append", document: { file: remotePath, offset, size: total, sha256 } };
  const answer = await callAgent(session, append, `Receiving ${remotePath}`, { input: source, signal });
  return (JSON.parse(answer) as { right: boolean }).right;
}

async function* piecesOf(
  path: string,
  offset: number,
  total: number,
  count: (bytes: number) => void,
): AsyncGenerator<Buffer> {
  if (offset < total) {
    for await (const piece of createReadStream(path, { start: offset, end: total - 1, highWaterMark: 1 << 18 })) {
      count((piece as Buffer).length);
      yield piece as Buffer;
    }
  }
}
