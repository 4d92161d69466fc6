import { closeSync, createReadStream, openSync, readSync } from "node:fs";
import { LocalReadError, unreadable } from "../../local/folder/local-error";
import { type LocalFile, sourceOf } from "../../local/folder/walk";

const batchBytes = 512 * 1024;
const smallBytes = 128 * 1024;

/** A file to send, from a byte on. */
export interface Content {
  readonly file: LocalFile;
  /** Bytes that the other side has. */
  readonly offset: number;
}

/**
 * What these files of a folder hold, one after another. Small ones leave in batches, big ones in pieces.
 * @throws LocalReadError where a file can't be read, or is shorter than it was.
 */
export async function* contentsOf(
  root: string,
  contents: Iterable<Content>,
  count: (bytes: number) => void,
): AsyncGenerator<Buffer> {
  let batch = Buffer.allocUnsafe(batchBytes);
  let used = 0;
  const flush = function* (): Generator<Buffer> {
    if (used === 0) return;
    count(used);
    yield batch.subarray(0, used);
    batch = Buffer.allocUnsafe(batchBytes);
    used = 0;
  };
  for (const { file, offset } of contents) {
    if (file.size > smallBytes) {
      yield* flush();
      yield* piecesOf(root, file, offset, count);
      continue;
    }
    if (used + file.size > batchBytes) yield* flush();
    readSmall(root, file, batch, used);
    used += file.size;
  }
  yield* flush();
}

/** In one go: for many small files that costs a fifth of what waiting for each does. */
function readSmall(root: string, file: LocalFile, into: Buffer, at: number): void {
  if (file.content !== undefined) {
    into.write(file.content, at);
    return;
  }
  if (file.size === 0) return;
  const source = sourceOf(root, file);
  let read: number;
  try {
    const handle = openSync(source, "r");
    try {
      read = readSync(handle, into, at, file.size, 0);
    } finally {
      closeSync(handle);
    }
  } catch (error) {
    unreadable(source, error);
  }
  if (read < file.size) shrunk(source);
}

async function* piecesOf(
  root: string,
  file: LocalFile,
  offset: number,
  count: (bytes: number) => void,
): AsyncGenerator<Buffer> {
  if (file.content === undefined) {
    yield* piecesFrom(sourceOf(root, file), offset, file.size, count);
    return;
  }
  const rest = Buffer.from(file.content).subarray(offset);
  count(rest.length);
  yield rest;
}

/** The bytes of a file from `start` to `end`. @throws LocalReadError where it has not as many */
export async function* piecesFrom(
  source: string,
  start: number,
  end: number,
  count: (bytes: number) => void,
): AsyncGenerator<Buffer> {
  let at = start;
  if (at < end) {
    for await (const piece of fromDisk(source, start, end)) {
      at += piece.length;
      count(piece.length);
      yield piece;
    }
  }
  if (at < end) shrunk(source);
}

/** A generator of its own: an error that the reader of the pieces throws into the outer one must not count as the disk's. */
async function* fromDisk(source: string, start: number, end: number): AsyncGenerator<Buffer> {
  try {
    yield* createReadStream(source, { start, end: end - 1, highWaterMark: batchBytes }) as AsyncIterable<Buffer>;
  } catch (error) {
    unreadable(source, error);
  }
}

function shrunk(source: string): never {
  const message = `${source} got shorter during the upload. Stop what writes to it and run the command again.`;
  throw new LocalReadError(message);
}
