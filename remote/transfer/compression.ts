import { open } from "node:fs/promises";
import type { Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { promisify } from "node:util";
import * as zlib from "node:zlib";
import { type LocalFile, sourceOf } from "../../local/folder/walk";
import type { Content } from "./contents";

const samples = 24;
const sampleBytes = 64 * 1024;
const worthRatio = 0.92;
/** What is smaller is sent before it is decided. */
const leastBytes = 1 << 20;

/** A program that unpacks on the other side, and what packs for it here. */
export interface Packer {
  readonly name: "zstd" | "gzip";
  stream(): Transform;
}

// At level 1 both are fastest. Zstandard came to Node.js with 22.15.
const packers: readonly Packer[] = [
  ...(zlib.createZstdCompress === undefined ? [] : [{ name: "zstd", stream: zstdStream } as const]),
  { name: "gzip", stream: () => zlib.createGzip({ level: 1, chunkSize: 1 << 18 }) },
];

function zstdStream(): Transform {
  const params = { [zlib.constants.ZSTD_c_compressionLevel]: 1 };
  return zlib.createZstdCompress({ params, chunkSize: 1 << 18 });
}

/**
 * What to pack these files with: undefined where samples of them do not shrink (images, archives, checkpoints), since
 * packing them costs a processor and saves nothing, and on a fast line is slower than the line.
 * @param there Programs of the other side.
 */
export async function packerFor(
  root: string,
  needed: { readonly bytes: number; contents(): Iterable<Content> },
  there: readonly string[],
): Promise<Packer | undefined> {
  const { bytes } = needed;
  const packer = packers.find(({ name }) => there.includes(name));
  if (packer === undefined || bytes < leastBytes) return undefined;
  const chunks: Buffer[] = [];
  let passed = 0;
  let taken = 0;
  for (const { file } of needed.contents()) {
    passed += file.size;
    // Each sample stands for an equal share of the bytes, not of the files.
    if (passed >= (bytes * taken) / samples && file.size > 0) {
      chunks.push(await head(root, file));
      taken = Math.max(taken + 1, Math.floor((passed / bytes) * samples));
    }
    if (taken >= samples) break;
  }
  const sample = Buffer.concat(chunks);
  const packed = await promisify(zlib.gzip)(sample, { level: 1 });
  return packed.length < sample.length * worthRatio ? packer : undefined;
}

/** Tells the other side what contents are packed with, and sends them so. */
export async function* packed(contents: AsyncIterable<Buffer>, packer: Packer | undefined): AsyncGenerator<Buffer> {
  yield Buffer.from(`${JSON.stringify({ packed: packer?.name ?? "none" })}\n`);
  yield* packer === undefined ? contents : through(contents, packer.stream());
}

/** A source as it comes out of a stream. */
export async function* through(
  source: Iterable<string> | AsyncIterable<Buffer>,
  stream: Transform,
): AsyncGenerator<Buffer> {
  // Whoever reads the stream gets the same error, or has given up.
  pipeline(source, stream).catch(() => {});
  yield* stream as AsyncIterable<Buffer>;
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
