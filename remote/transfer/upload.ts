import { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import { promisify } from "node:util";
import { createGzip, gzip } from "node:zlib";
import { ensureScripts } from "../bundle";
import type { Listener } from "../listener";
import { shellQuote } from "../quote";
import { endedSoon, type SshSession, sshFailure } from "../session";
import type { SshAccess } from "../types";
import { gzipLevel } from "./compression";
import { LocalReadError } from "./local-error";
import { manifestHash, normalizePaths } from "./manifest";
import { progressMeter } from "./progress";
import { type Attempt, onTarget } from "./retry";
import { tarOf } from "./tar";
import type { LocalFile, LocalTree } from "./walk";

/** What to upload, and where to. */
export interface UploadTreeOptions {
  readonly tree: LocalTree;
  /** Folder on the instance, relative to the home folder or absolute. */
  readonly remoteRoot: string;
  /** Name under which the instance remembers what this upload put. One name, one folder. */
  readonly name: string;
  /** Paths below the root that are never removed. */
  readonly protectedPaths?: readonly string[];
  /** A line for people when the connection is lost. */
  readonly onProgress?: (line: string) => void;
  readonly onStatus?: Listener["status"];
  readonly signal?: AbortSignal;
}

/** What an upload did. */
export interface Uploaded {
  readonly sentFiles: number;
  /** Bytes of content, before compression. */
  readonly sentBytes: number;
  /** Files removed on the instance. */
  readonly removed: number;
  readonly seconds: number;
}

export { type UploadArchiveOptions, uploadArchive } from "./archive";

const scripts = ["transfer.py", "uploads.py", "times.py", "place.py", "receive.py"] as const;

/**
 * Makes a folder on the instance hold exactly these files, besides those that others put there. Sends what is not there
 * yet as one compressed stream into a staging folder; only when all of it has arrived and every checksum is right does
 * it go into place. With an access instead of a session a lost connection is made again, and what had arrived stays.
 */
export async function uploadTree(target: SshSession | SshAccess, options: UploadTreeOptions): Promise<Uploaded> {
  const started = Date.now();
  const sent = { files: 0, bytes: 0, fewestNeeded: options.tree.files.length };
  const removed = await onTarget(target, (session, attempt) => synchronize(session, options, sent, attempt), options);
  return { sentFiles: sent.files, sentBytes: sent.bytes, removed, seconds: (Date.now() - started) / 1000 };
}

async function synchronize(
  session: SshSession,
  options: UploadTreeOptions,
  sent: { files: number; bytes: number; fewestNeeded: number },
  attempt: Attempt,
): Promise<number> {
  const { tree, remoteRoot, name, signal, onStatus } = options;
  const folder = await ensureScripts(session, scripts);
  const receive = async (words: string[], what: string, stdin?: Buffer): Promise<Record<string, unknown>> => {
    const command = `python3 ${folder}/receive.py ${words.map(shellQuote).join(" ")}`;
    const answer = await session.run(command, what, { stdin, signal, maxOutputBytes: 256 * 1024 ** 2 });
    return JSON.parse(answer) as Record<string, unknown>;
  };
  const hash = manifestHash(tree.manifest);
  onStatus?.("comparing", `${tree.files.length} files`);
  if ((await receive(["same", name, remoteRoot, hash], `Comparing ${remoteRoot}`)).same === true) {
    return 0;
  }
  const wanted = { hash, files: tree.manifest.files, protected: normalizePaths(options.protectedPaths ?? []) };
  const manifest = await promisify(gzip)(JSON.stringify(wanted), { level: 1 });
  for (let round = 1; ; round++) {
    const planned = await receive(["plan", name, remoteRoot], `Planning the upload to ${remoteRoot}`, manifest);
    const need = new Set(planned.need as string[]);
    // What a lost try has left counts, or a line that drops now and then would use up all tries. Fewer than ever, not than
    // at the last plan: content that goes bad again and again is no progress.
    if (need.size < sent.fewestNeeded) {
      sent.fewestNeeded = need.size;
      attempt.progressed();
    }
    const files = tree.files.filter(({ sha256 }) => need.delete(sha256));
    if (files.length > 0) {
      const bytes = files.reduce((sum, file) => sum + file.size, 0);
      const meter = progressMeter("sending", bytes, onStatus);
      await send(session, `python3 ${folder}/receive.py take ${shellQuote(name)}`, files, meter.count, signal);
      attempt.progressed();
      sent.files += files.length;
      sent.bytes += bytes;
    }
    onStatus?.("checking what arrived");
    const applied = await receive(["apply", name, remoteRoot], `Putting the upload to ${remoteRoot} into place`);
    const bad = applied.bad as string[];
    if (bad.length === 0) {
      return applied.removed as number;
    }
    if (round === 3) {
      const path = tree.files.find(({ sha256 }) => sha256 === bad[0])?.path;
      throw new Error(
        `${bad.length} files did not arrive as they were when the upload began, ${path} among them. ` +
          "Most often a program writes to them meanwhile: end it and run the command again.",
      );
    }
  }
}

async function send(
  session: SshSession,
  command: string,
  files: readonly LocalFile[],
  count: (files: number, bytes: number) => void,
  signal: AbortSignal | undefined,
): Promise<void> {
  const remote = await session.stream(command);
  const said = text(remote.stderr).catch(() => "");
  remote.stdout.resume();
  const packed = createGzip({ level: await gzipLevel(files), chunkSize: 256 * 1024 });
  let broken: unknown;
  try {
    await pipeline(Readable.from(tarOf(files, count), { objectMode: true, highWaterMark: 2 }), packed, remote.stdin, {
      signal,
    });
  } catch (error) {
    broken = error;
    if (error instanceof LocalReadError || signal?.aborted === true) {
      remote.kill();
      throw signal?.aborted === true ? signal.reason : error;
    }
  }
  // Where the stream broke, how the remote side or the connection ended tells more than the stream does.
  const exit = await endedSoon(remote);
  if (exit.code !== 0 || broken !== undefined) {
    throw sshFailure(session, exit.code, "Receiving the upload", (await said) || String(broken));
  }
}
