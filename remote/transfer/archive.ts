import { stat } from "node:fs/promises";
import { progressMeter } from "../../local/folder/progress";
import type { SshSession } from "../session";
import type { SshAccess } from "../types";
import { hearFirst, type IntoCache } from "./cache";
import { packed } from "./compression";
import { piecesFrom } from "./contents";
import { hearPastGiver } from "./giver";
import { type Attempt, onTarget, type TransferOptions } from "./retry";
import { Talk } from "./talk";

/** A single big file to upload. */
export interface UploadArchiveOptions extends TransferOptions {
  readonly localArchive: string;
  /** Path on the instance, relative to the home folder or absolute. */
  readonly remotePath: string;
  /** SHA-256 of the file. */
  readonly sha256: string;
  /** A cache is made of it, which all machines read: it goes nowhere where that is made already. */
  readonly cache?: IntoCache;
  /** Machine of the fleet that has it, and passes it on. */
  readonly giver?: string;
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
      // What it passes on is checked there. If that is another file, it is wrong each time.
      const giver = round === 1 ? options.giver : undefined;
      if (await uploadOnce(session, { ...options, giver }, total, count)) {
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
  const { localArchive, remotePath, sha256, cache, giver, signal } = options;
  const call =
    cache === undefined
      ? { verb: "archive-append", document: { file: remotePath, size: total, sha256, giver } }
      : { verb: "cache-archive", document: { ...cache, hash: sha256, size: total, sha256 } };
  const talk = await Talk.start(session, call, total, signal);
  try {
    const looking = `Looking at ${remotePath}`;
    const hear = giver === undefined ? hearFirst : hearPastGiver;
    const seen = await hear<{ complete: boolean; size: number }>(talk, looking, options);
    if (seen.complete) return true;
    const receiving = `Receiving ${remotePath}`;
    await talk.send(packed(piecesFrom(localArchive, seen.size, total, count), undefined), receiving, { last: true });
    return (await talk.hear<{ right: boolean }>(receiving)).right;
  } finally {
    talk.close();
  }
}
