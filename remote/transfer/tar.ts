import { createReadStream } from "node:fs";
import { open } from "node:fs/promises";
import { LocalReadError, unreadable } from "../../local/folder/local-error";
import { type LocalFile, sourceOf } from "../../local/folder/walk";

const blockBytes = 512;
const smallBytes = 128 * 1024;
const readAhead = 32;
const batchBytes = 512 * 1024;

/**
 * A tar of these files of a folder, each named by its checksum: the names of files are in the manifest alone, so that none of them
 * has to survive tar. Small files are read ahead and leave in batches, big ones in pieces.
 */
export async function* tarOf(
  root: string,
  files: readonly LocalFile[],
  count: (bytes: number) => void,
): AsyncGenerator<Buffer> {
  const ahead: Promise<Buffer | undefined>[] = [];
  let next = 0;
  const readNext = (): void => {
    const file = files[next++];
    if (file !== undefined) {
      const reading = file.size > smallBytes ? Promise.resolve(undefined) : readSmall(root, file);
      // Its turn comes later; until then a failure must not count as unhandled.
      reading.catch(() => {});
      ahead.push(reading);
    }
  };
  for (let i = 0; i < readAhead; i++) {
    readNext();
  }
  let batch: Buffer[] = [];
  let batched = 0;
  for (const file of files) {
    const content = await ahead.shift();
    readNext();
    batch.push(tarHeader(file.sha256, file.size));
    if (content === undefined) {
      yield Buffer.concat(batch);
      yield* piecesOf(root, file, count);
      batch = [tarPadding(file.size)];
      batched = 0;
    } else {
      batch.push(content, tarPadding(file.size));
      batched += content.length + 2 * blockBytes;
      count(file.size);
    }
    if (batched > batchBytes) {
      yield Buffer.concat(batch);
      batch = [];
      batched = 0;
    }
  }
  batch.push(Buffer.alloc(2 * blockBytes));
  yield Buffer.concat(batch);
}

/** Header of a regular file in ustar format; sizes of 8 GiB and more in GNU's binary form. */
export function tarHeader(name: string, size: number): Buffer {
  const header = Buffer.alloc(blockBytes);
  header.write(name, 0, 100, "latin1");
  header.write("0000600\0", 100, "latin1");
  header.write("0000000\0", 108, "latin1");
  header.write("0000000\0", 116, "latin1");
  if (size < 8 ** 11) {
    header.write(`${size.toString(8).padStart(11, "0")}\0`, 124, "latin1");
  } else {
    header.writeUInt8(0x80, 124);
    header.writeBigUInt64BE(BigInt(size), 128);
  }
  header.write("00000000000\0", 136, "latin1");
  header.write("        0", 148, "latin1");
  header.write("ustar\u000000", 257, "latin1");
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return header;
}

/** What fills a file up to the next block. */
export function tarPadding(size: number): Buffer {
  return Buffer.alloc((blockBytes - (size % blockBytes)) % blockBytes);
}

async function readSmall(root: string, file: LocalFile): Promise<Buffer> {
  if (file.content !== undefined) {
    return Buffer.from(file.content);
  }
  const content = Buffer.alloc(file.size);
  const source = sourceOf(root, file);
  const handle = await open(source).catch((error: unknown) => unreadable(source, error));
  try {
    const { bytesRead } = await handle.read(content, 0, file.size, 0);
    return bytesRead === file.size ? content : shrunk(source);
  } finally {
    await handle.close();
  }
}

async function* piecesOf(root: string, file: LocalFile, count: (bytes: number) => void): AsyncGenerator<Buffer> {
  let left = file.size;
  const source = sourceOf(root, file);
  const pieces = file.content === undefined ? fromDisk(source, file.size) : [Buffer.from(file.content)];
  for await (const piece of pieces) {
    left -= piece.length;
    count(piece.length);
    yield piece;
  }
  if (left > 0) {
    shrunk(source);
  }
}

/** A generator of its own: an error that the reader of the tar throws into the outer one must not count as the disk's. */
async function* fromDisk(source: string, size: number): AsyncGenerator<Buffer> {
  try {
    const options = { end: size - 1, highWaterMark: batchBytes };
    for await (const piece of createReadStream(source, options)) {
      yield piece as Buffer;
    }
  } catch (error) {
    unreadable(source, error);
  }
}

function shrunk(source: string): never {
  const message = `${source} got shorter during the upload. Stop what writes to it and run the command again.`;
  throw new LocalReadError(message);
}
