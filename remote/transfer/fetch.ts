import { statfs } from "node:fs/promises";
import { dirname } from "node:path";
import { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import { extract } from "tar-stream";
import { progressMeter } from "../../local/folder/progress";
import { showBytes } from "../../local/folder/surprise";
import { startAgent } from "../agent";
import { endedSoon, type SshSession, sshFailure } from "../session";
import { isBrokenStream } from "./broken";
import type { RemoteEntry } from "./listing";
import type { Objects } from "./objects";
import type { TransferOptions } from "./retry";
import { type Request, Taker } from "./taker";

interface FetchOptions extends TransferOptions {
  readonly count: (files: number, bytes: number) => void;
  readonly progressed: () => void;
}

/**
 * Fetches content as one compressed tar. Entries carry numbers instead of names, so that where something is written is
 * decided here alone; an entry that was not asked for, or is not as announced, ends the transfer.
 * Content that is not what the listing had said (it is written to at this moment) is left out.
 */
export async function fetchObjects(
  session: SshSession,
  wanted: readonly RemoteEntry[],
  objects: Objects,
  options: FetchOptions,
): Promise<void> {
  if (wanted.length === 0) {
    return;
  }
  const { signal } = options;
  const begun = await objects.begun();
  const requests = wanted.map((entry) => ({ entry, offset: begun(entry.sha256, entry.size) }));
  const bytes = requests.reduce((sum, { entry, offset }) => sum + entry.size - offset, 0);
  await checkSpace(
    objects,
    requests.reduce((sum, { entry, offset }) => sum + Math.max(0, (entry.held ?? entry.size) - offset), 0),
  );
  const meter = progressMeter("downloading", bytes, options.onStatus);
  const received = (files: number, more: number): void => {
    meter(more);
    options.count(files, more);
  };
  const remote = await startAgent(session, { verb: "send", document: {} });
  const said = text(remote.stderr).catch(() => "");
  const asking = pipeline(Readable.from(askingFor(requests)), remote.stdin).catch(() => {});
  const taker = new Taker(requests, objects, received, options.progressed);
  let broken: unknown;
  try {
    const entries = extract();
    const unpacking = pipeline(remote.stdout, createGunzip(), entries, { signal });
    unpacking.catch(() => {});
    for await (const entry of entries) {
      await taker.take(entry);
    }
    await unpacking;
  } catch (error) {
    if (signal?.aborted === true || !isBrokenStream(error)) {
      remote.kill();
      throw signal?.aborted === true ? signal.reason : localReason(error, objects);
    }
    broken = error;
  }
  await taker.settled().catch((error: unknown) => {
    throw localReason(error, objects);
  });
  await asking;
  // Where the stream broke, how the command or the connection ended tells why.
  const exit = await endedSoon(remote);
  if (exit.code !== 0 || broken !== undefined || taker.left > 0) {
    const reason = (await said) || (broken === undefined ? `${taker.left} files did not come.` : String(broken));
    throw sshFailure(session, exit.code, "Sending the results", reason);
  }
}

/** The lines that ask for content, some hundreds at once. */
function* askingFor(requests: readonly Request[]): Generator<string> {
  for (let at = 0; at < requests.length; at += 500) {
    const some = requests.slice(at, at + 500);
    yield some.map(({ entry, offset }) => `${JSON.stringify([entry.id, offset, entry.size - offset])}\n`).join("");
  }
}

async function checkSpace(objects: Objects, bytes: number): Promise<void> {
  const folder = dirname(objects.partPath(""));
  const { bavail, bsize } = await statfs(folder);
  if (bavail * bsize < bytes) {
    throw new Error(
      `The results need ${showBytes(bytes)} more, but the disk of ${folder} has ${showBytes(bavail * bsize)} free. Make room, or set results.directory to another disk, and run the command again.`,
    );
  }
}

function localReason(error: unknown, objects: Objects): unknown {
  const folder = dirname(objects.partPath(""));
  const { code, message } = error as { code?: string; message: string };
  if (code === "ENOSPC" || code === "EDQUOT") {
    return new Error(
      `The disk of ${folder} is full. What has arrived stays there. Make room and run the command again.`,
      { cause: error },
    );
  }
  const local = ["EACCES", "EROFS", "EIO", "EFBIG", "ENOTDIR", "ENAMETOOLONG"].includes(code ?? "");
  return local ? new Error(`Couldn't write the results to ${folder}: ${message}`, { cause: error }) : error;
}
