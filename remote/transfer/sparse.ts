import { constants } from "node:fs";
import { copyFile, type FileHandle, open, stat } from "node:fs/promises";

const blockBytes = 1 << 16;
const zeros = Buffer.alloc(blockBytes);

/** Writes to a file, except blocks of zeros: these stay holes, which take no room. The caller gives the file its length. */
export async function writeSparse(handle: FileHandle, chunk: Buffer, position: number): Promise<void> {
  let begin = 0;
  for (let at = 0; at < chunk.length; at += blockBytes) {
    const block = chunk.subarray(at, at + blockBytes);
    if (!block.equals(zeros.subarray(0, block.length))) continue;
    await writeAll(handle, chunk.subarray(begin, at), position + begin);
    begin = at + block.length;
  }
  await writeAll(handle, chunk.subarray(begin), position + begin);
}

async function writeAll(handle: FileHandle, content: Buffer, position: number): Promise<void> {
  for (let written = 0; written < content.length; ) {
    const { bytesWritten } = await handle.write(content, written, content.length - written, position + written);
    written += bytesWritten;
  }
}

/** Copies a file that must not be there yet. What takes little room goes on to do so. */
export async function copySparse(from: string, to: string): Promise<void> {
  const { size, blocks } = await stat(from);
  if (blocks * 512 >= size) {
    await copyFile(from, to, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
    return;
  }
  const source = await open(from, "r");
  try {
    const target = await open(to, "wx", 0o600);
    try {
      const buffer = Buffer.allocUnsafe(1 << 20);
      let at = 0;
      for (let read = await source.read(buffer, 0, buffer.length, at); read.bytesRead > 0; ) {
        await writeSparse(target, buffer.subarray(0, read.bytesRead), at);
        at += read.bytesRead;
        read = await source.read(buffer, 0, buffer.length, at);
      }
      await target.truncate(at);
    } finally {
      await target.close();
    }
  } finally {
    await source.close();
  }
}
