import { open } from "node:fs/promises";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { type LocalFile, sourceOf } from "../../local/folder/walk";

const samples = 24;
const sampleBytes = 64 * 1024;
const worthRatio = 0.92;

/**
 * The gzip level for these files: 1 where samples of them shrink, 0 where they do not (images, archives, checkpoints):
 * compressing those costs a processor and saves nothing, and on a fast line is slower than the line.
 */
export async function gzipLevel(root: string, files: readonly LocalFile[]): Promise<0 | 1> {
  const chunks: Buffer[] = [];
  const total = files.reduce((sum, { size }) => sum + size, 0);
  let passed = 0;
  let taken = 0;
  for (const file of files) {
    passed += file.size;
    // Each sample stands for an equal share of the bytes, not of the files.
    if (passed >= (total * taken) / samples && file.size > 0 && taken < samples) {
      chunks.push(await head(root, file));
      taken = Math.max(taken + 1, Math.floor((passed / total) * samples));
    }
  }
  const sample = Buffer.concat(chunks);
  const packed = await promisify(gzip)(sample, { level: 1 });
  return packed.length < sample.length * worthRatio ? 1 : 0;
}

async function head(root: string, file: LocalFile): Promise<Buffer> {
  if (file.content !== undefined) {
    return Buffer.from(file.content).subarray(0, sampleBytes);
  }
  const handle = await open(sourceOf(root, file)).catch(() => undefined);
  try {
    const { buffer, bytesRead } = (await handle?.read(Buffer.alloc(sampleBytes), 0, sampleBytes, 0)) ?? {};
    return buffer?.subarray(0, bytesRead) ?? Buffer.alloc(0);
  } finally {
    await handle?.close();
  }
}
