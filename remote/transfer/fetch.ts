import { createHash, type Hash } from "node:crypto";
import { createReadStream } from "node:fs";
import { type FileHandle, open, rm, statfs, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { PassThrough, Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import { type Extract, extract } from "tar-stream";
import { ensureScripts } from "../bundle";
import { type SshSession, sshFailure } from "../session";
import { type RemoteEntry, sendScripts } from "./listing";
import type { Objects } from "./objects";
import { progressMeter } from "./progress";
import { showBytes } from "./surprise";

/** The instance sent something that was not asked for. Never retried. */
export class HostileStreamError extends Error {
  override readonly name = "HostileStreamError";
}

interface FetchOptions {
  readonly remoteRoot: string;
  readonly onProgress?: (line: string) => void;
  readonly signal?: AbortSignal;
  readonly count: (files: number, bytes: number) => void;
  readonly progressed: () => void;
}

/**
 * Fetches content as one compressed tar. Entries carry numbers instead of names, so that where something is written is
 * decided here alone; an entry that was not asked for, or is not as announced, ends the transfer.
 * @returns paths whose content was not what the listing had said: they are written to at this moment.
 */
export async function fetchObjects(
  session: SshSession,
  wanted: readonly RemoteEntry[],
  objects: Objects,
  options: FetchOptions,
): Promise<string[]> {
  if (wanted.length === 0) {
    return [];
  }
  const { signal } = options;
  const requests = await Promise.all(
    wanted.map(async (entry) => ({ entry, offset: await objects.arrived(entry.sha256, entry.size) })),
  );
  const bytes = requests.reduce((sum, { entry, offset }) => sum + entry.size - offset, 0);
  await checkSpace(objects, bytes);
  const meter = progressMeter(`${options.remoteRoot}: fetching`, wanted.length, bytes, options.onProgress);
  const received = (files: number, more: number): void => {
    meter.count(files, more);
    options.count(files, more);
  };
  const remote = await session.stream(`python3 ${await ensureScripts(session, sendScripts)}/remote-manifest.py send`);
  const said = text(remote.stderr).catch(() => "");
  const lines = requests.map(({ entry, offset }) => `${JSON.stringify([entry.id, offset, entry.size - offset])}\n`);
  const asking = pipeline(Readable.from(lines), remote.stdin).catch(() => {});
  const taker = new Taker(requests, objects, received, options.progressed);
  try {
    const entries = extract();
    const unpacking = pipeline(remote.stdout, createGunzip(), entries, { signal });
    unpacking.catch(() => {});
    for await (const entry of entries) {
      await taker.take(entry);
    }
    await unpacking;
  } catch (error) {
    remote.kill();
    signal?.throwIfAborted();
    if (!isBrokenStream(error)) {
      throw localReason(error, objects);
    }
    // How the command or the connection ended tells why the stream broke.
    const exit = await remote.exit;
    throw sshFailure(session, exit.code, "Sending the results", (await said) || String(error));
  }
  await asking;
  const exit = await remote.exit;
  if (exit.code !== 0 || taker.left > 0) {
    throw sshFailure(session, exit.code, "Sending the results", (await said) || `${taker.left} files did not come.`);
  }
  return taker.wrong;
}

/** An entry of the tar: its content is to be read before the next one comes. */
type Entry = Extract extends AsyncIterable<infer Source> ? Source : never;

interface Request {
  readonly entry: RemoteEntry;
  readonly offset: number;
}

const smallBytes = 256 * 1024;

/** Takes the entries of the tar: each one asked for, each once, each of the size asked for. */
class Taker {
  readonly wrong: string[] = [];
  left: number;
  private readonly taken = new Set<number>();

  constructor(
    private readonly requests: readonly Request[],
    private readonly objects: Objects,
    private readonly received: (files: number, bytes: number) => void,
    private readonly progressed: () => void,
  ) {
    this.left = requests.length;
  }

  async take(item: Entry): Promise<void> {
    const { name, type, size } = item.header;
    const [, digits, gone] = /^(0|[1-9][0-9]{0,8})(\.gone)?$/.exec(name) ?? [];
    const number = Number(digits);
    const request = digits === undefined ? undefined : this.requests[number];
    if (request === undefined || type !== "file" || this.taken.has(number)) {
      throw new HostileStreamError(
        `The instance sent ${type ?? "something"} ${JSON.stringify(name.slice(0, 200))}, which was not asked for. The transfer was ended; nothing of it was used.`,
      );
    }
    this.taken.add(number);
    this.left--;
    const { entry, offset } = request;
    if (gone !== undefined && size === 0) {
      item.resume();
      this.wrong.push(entry.path);
      return;
    }
    if (size !== entry.size - offset) {
      throw new HostileStreamError(
        `The instance sent ${size} bytes for ${entry.path}, ${entry.size - offset} were announced. The transfer was ended; nothing of it was used.`,
      );
    }
    const right =
      offset === 0 && entry.size <= smallBytes ? await this.takeSmall(item, entry) : await this.takeBig(item, request);
    if (right) {
      await this.objects.complete(entry.sha256);
      this.progressed();
    } else {
      this.wrong.push(entry.path);
      await rm(this.objects.partPath(entry.sha256), { force: true });
    }
    this.received(1, 0);
  }

  private async takeSmall(item: Entry, entry: RemoteEntry): Promise<boolean> {
    const chunks: Buffer[] = [];
    for await (const chunk of item) {
      chunks.push(chunk as Buffer);
    }
    const content = Buffer.concat(chunks);
    this.received(0, content.length);
    if (createHash("sha256").update(content).digest("hex") !== entry.sha256) {
      return false;
    }
    await writeFile(this.objects.partPath(entry.sha256), content, { mode: 0o600 });
    return true;
  }

  private async takeBig(item: Entry, { entry, offset }: Request): Promise<boolean> {
    const path = this.objects.partPath(entry.sha256);
    const hash: Hash = createHash("sha256");
    if (offset > 0) {
      await pipeline(createReadStream(path, { end: offset - 1 }), new PassThrough(), async (chunks) => {
        for await (const chunk of chunks) {
          hash.update(chunk as Buffer);
        }
      });
    }
    const handle: FileHandle = await open(path, offset > 0 ? "r+" : "w", 0o600);
    try {
      let at = offset;
      for await (const chunk of item) {
        hash.update(chunk as Buffer);
        await handle.write(chunk as Buffer, 0, (chunk as Buffer).length, at);
        at += (chunk as Buffer).length;
        this.received(0, (chunk as Buffer).length);
      }
    } finally {
      await handle.close();
    }
    return hash.digest("hex") === entry.sha256;
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

/** True where the stream ended too early or in the middle of something, as it does when the other side is gone. */
function isBrokenStream(error: unknown): boolean {
  const { code = "", message = "" } = error as { code?: string; message?: string };
  return (
    code === "Z_BUF_ERROR" || code === "ERR_STREAM_PREMATURE_CLOSE" || /premature close|end of data/i.test(message)
  );
}

function localReason(error: unknown, objects: Objects): unknown {
  const folder = dirname(objects.partPath(""));
  const { code, message } = error as { code?: string; message: string };
  if (code === "ENOSPC" || code === "EDQUOT") {
    return new Error(
      `The disk of ${folder} is full. What has arrived stays there; make room and run the command again.`,
      { cause: error },
    );
  }
  const local = ["EACCES", "EROFS", "EIO", "EFBIG", "ENOTDIR", "ENAMETOOLONG"].includes(code ?? "");
  return local ? new Error(`The results cannot be written to ${folder}: ${message}`, { cause: error }) : error;
}
