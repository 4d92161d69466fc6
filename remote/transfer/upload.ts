import { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import { LocalReadError } from "../../local/folder/local-error";
import { type ManifestEntry, normalizePaths } from "../../local/folder/manifest";
import { progressMeter } from "../../local/folder/progress";
import type { LocalFile, LocalTree } from "../../local/folder/walk";
import { callAgent, startAgent } from "../agent";
import { endedSoon, type SshSession, sshFailure } from "../session";
import type { SshAccess } from "../types";
import { gzipLevel } from "./compression";
import { type Attempt, onTarget, type TransferOptions } from "./retry";
import { tarOf } from "./tar";

/** What to upload, and where to. */
export interface UploadTreeOptions extends TransferOptions {
  readonly tree: LocalTree;
  /** Folder on the instance, relative to the home folder or absolute. */
  readonly remoteRoot: string;
  /** Name under which the instance remembers what this upload put. One name, one folder. */
  readonly name: string;
  /** Paths below the root that are never removed. */
  readonly protectedPaths?: readonly string[];
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

export { uploadArchive } from "./archive";

/**
 * Makes a folder on the instance hold exactly these files, besides those that others put there. Sends what is not there
 * yet as one compressed stream into a staging folder; only when all of it has arrived and every checksum is right does
 * it go into place. With an access instead of a session a lost connection is made again, and what had arrived stays.
 */
export async function uploadTree(target: SshSession | SshAccess, options: UploadTreeOptions): Promise<Uploaded> {
  const started = Date.now();
  const sent = { files: 0, bytes: 0, fewestNeeded: options.tree.count };
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
  const { hash } = tree;
  const receive = async <T>(verb: "same" | "plan" | "apply", what: string, input?: Readable): Promise<T> => {
    const document = { name, root: remoteRoot, ...(verb === "same" ? { hash } : {}) };
    return JSON.parse(await callAgent(session, { verb: `upload-${verb}`, document }, what, { input, signal })) as T;
  };
  onStatus?.("comparing", `${tree.count} files`);
  if ((await receive<{ same: boolean }>("same", `Comparing ${remoteRoot}`)).same) {
    return 0;
  }
  const facts = { hash, protected: normalizePaths(options.protectedPaths ?? []) };
  for (let round = 1; ; round++) {
    const manifest = Readable.from(linesOf(facts, tree.entries())).pipe(createGzip({ level: 1 }));
    const planned = await receive<{ need: readonly (readonly [first: number, end: number])[] }>(
      "plan",
      `Planning the upload to ${remoteRoot}`,
      manifest,
    );
    const files = [...picked(tree.entries(), planned.need)];
    // What a lost try has left counts, or a line that drops now and then would use up all tries. Fewer than ever, not than
    // at the last plan: content that goes bad again and again is no progress.
    if (files.length < sent.fewestNeeded) {
      sent.fewestNeeded = files.length;
      attempt.progressed();
    }
    if (files.length > 0) {
      const bytes = files.reduce((sum, file) => sum + file.size, 0);
      const meter = progressMeter("sending", bytes, onStatus);
      await send(session, name, tarOf(tree.root, files, meter), await gzipLevel(tree.root, files), signal);
      attempt.progressed();
      sent.files += files.length;
      sent.bytes += bytes;
    }
    onStatus?.("checking what arrived");
    const applied = await receive<{ removed: number; bad: number; first?: string }>(
      "apply",
      `Putting the upload to ${remoteRoot} into place`,
    );
    if (applied.bad === 0) {
      return applied.removed;
    }
    if (round === 3) {
      throw new Error(
        `${applied.bad} files did not arrive as they were when the upload began, ${applied.first} among them. ` +
          "Most likely a program is writing to them. Stop it and run the command again.",
      );
    }
  }
}

/** The entries with these numbers, in ascending ranges [first, end). */
function* picked(
  entries: Iterable<LocalFile>,
  ranges: readonly (readonly [first: number, end: number])[],
): Generator<LocalFile> {
  let [number, at] = [0, 0];
  for (const entry of entries) {
    const [first, end] = ranges[at] ?? [Number.POSITIVE_INFINITY, 0];
    if (number >= first) yield entry;
    number += 1;
    if (number >= end) at += 1;
    if (at === ranges.length) return;
  }
}

/** The manifest as the agent reads it, line by line: as one text it may be longer than a text can be. */
function* linesOf(facts: object, entries: Iterable<ManifestEntry>): Generator<string> {
  let lines = `${JSON.stringify(facts)}\n`;
  for (const { path, size, sha256, executable, link, folder } of entries) {
    lines += `${JSON.stringify({ path, size, sha256, executable, link, folder })}\n`;
    if (lines.length > 1 << 18) {
      yield lines;
      lines = "";
    }
  }
  yield lines;
}

async function send(
  session: SshSession,
  name: string,
  tar: AsyncGenerator<Buffer>,
  level: 0 | 1,
  signal: AbortSignal | undefined,
): Promise<void> {
  const remote = await startAgent(session, { verb: "upload-take", document: { name } });
  const said = text(remote.stderr).catch(() => "");
  remote.stdout.resume();
  const packed = createGzip({ level, chunkSize: 256 * 1024 });
  let broken: unknown;
  try {
    await pipeline(Readable.from(tar, { objectMode: true, highWaterMark: 2 }), packed, remote.stdin, { signal });
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
