import type { Readable } from "node:stream";
import * as zlib from "node:zlib";
import { HostileStreamError } from "./hostile";

/** A part of the stream of results (`scripts/agent/results/blocks.py`). */
export interface Piece {
  readonly kind: number;
  readonly number: number;
  /** Valid until the next block. */
  readonly content: Buffer;
}

const blockHead = 9;
const pieceHead = 9;
/** Most bytes of a block, and of one that does not shrink by being packed. */
const most = 8 << 20;

// Node.js before 22.15 has no Zstandard.
const unzstd = (zlib as Partial<typeof zlib>).zstdDecompressSync;

/** How blocks may be packed besides zlib. */
export const unpacks: readonly string[] = unzstd === undefined ? [] : ["zstd"];

/**
 * The pieces of a stream, a block's at a time. No more is unpacked than a block may have, whatever comes.
 * @throws Error `premature close` where the stream ends within a block; {@link HostileStreamError} where it is none of ours
 */
export async function* piecesOf(stream: Readable): AsyncGenerator<Generator<Piece>> {
  const head = Buffer.alloc(blockHead);
  let headed = 0;
  let body: Buffer | undefined;
  let filled = 0;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    for (let at = 0; at < chunk.length; ) {
      if (body === undefined) {
        const some = chunk.copy(head, headed, at, at + blockHead - headed);
        headed += some;
        at += some;
        if (headed < blockHead) break;
        body = Buffer.allocUnsafe(sizeOf(head));
        filled = 0;
      }
      const some = chunk.copy(body, filled, at);
      filled += some;
      at += some;
      if (filled < body.length) break;
      yield split(unpacked(head, body));
      body = undefined;
      headed = 0;
    }
  }
  if (headed > 0) throw new Error("premature close");
}

/** Bytes of a block in the stream. */
function sizeOf(head: Buffer): number {
  const [stored, size] = [head.readUInt32BE(1), head.readUInt32BE(5)];
  if (size > most || stored > size || stored === 0) throw foreign();
  return stored;
}

function unpacked(head: Buffer, body: Buffer): Buffer {
  const [packing, size] = [head[0], head.readUInt32BE(5)];
  const content = packing === 0 ? body : unpack(packing, body, size);
  if (content.length !== size) throw foreign();
  return content;
}

function unpack(packing: number | undefined, body: Buffer, size: number): Buffer {
  const how = packing === 1 ? zlib.inflateSync : packing === 2 ? unzstd : undefined;
  if (how === undefined) throw foreign();
  try {
    return how(body, { maxOutputLength: size });
  } catch (error) {
    throw foreign(error);
  }
}

function* split(block: Buffer): Generator<Piece> {
  for (let at = 0; at < block.length; ) {
    if (at + pieceHead > block.length) throw foreign();
    const begin = at + pieceHead;
    const end = begin + block.readUInt32BE(at + 5);
    if (end > block.length) throw foreign();
    yield { kind: block.readUInt8(at), number: block.readUInt32BE(at + 1), content: block.subarray(begin, end) };
    at = end;
  }
}

/** The error for what is no part of a stream of results. */
export function foreign(cause?: unknown): HostileStreamError {
  return new HostileStreamError(
    "The instance sent something other than results. The transfer was ended; nothing of it was used.",
    { cause },
  );
}
