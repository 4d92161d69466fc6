import { stat } from "node:fs/promises";
import { progressMeter } from "../../local/folder/progress";
import type { SshSession } from "../session";
import type { SshAccess } from "../types";
import { packed } from "./compression";
import { piecesFrom } from "./contents";
import { type Attempt, onTarget, type TransferOptions } from "./retry";
import { Talk } from "./talk";

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
  { localArchive, remotePath, sha256, signal }: UploadArchiveOptions,
  total: number,
  count: (bytes: number) => void,
): Promise<boolean> {
  const document = { file: remotePath, size: total, sha256 };
  const talk = await Talk.start(session, { verb: "archive-append", document }, total, signal);
  try {
    const seen = await talk.hear<{ complete: boolean; size: number }>(`Looking at ${remotePath}`);
    if (seen.complete) return true;
    const receiving = `Receiving ${remotePath}`;
    await talk.send(packed(piecesFrom(localArchive, seen.size, total, count), undefined), receiving, { last: true });
    return (await talk.hear<{ right: boolean }>(receiving)).right;
  } finally {
    talk.close();
  }
}
