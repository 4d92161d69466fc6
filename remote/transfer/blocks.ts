import type { Readable } from "node:stream";
import * as zlib from "node:zlib";
import { HostileStreamError } from "./hostile";

/** A part of the stream of results (`scripts/agent/results/blocks.py`). */
export interface Piece {
  readonly kind: number;
  readonly number: number;
  /** Valid until the next block is asked for. */
  readonly content: Buffer;
}

/** Kind of the pieces of content. */
export const contentPiece = 1;

const blockHead = 9;
const pieceHead = 9;
/** Most bytes of a block, and of one that does not shrink by being packed. */
const most = 8 << 20;

// Node.js before 22.15 has no Zstandard.
const unzstd = (zlib as Partial<typeof zlib>).zstdDecompressSync;

/** How blocks may be packed besides zlib. */
export const unpacks: readonly string[] = unzstd === undefined ? [] : ["zstd"];

/**
 * The pieces of a stream, a block's at a time. No more is unpacked than a block may have, whatever comes. Where the stream
 * breaks, what has come of a block is not lost.
 * @throws what the stream fails with; Error `premature close` where it ends within a block; {@link HostileStreamError} where
 * it is none of ours
 */
export async function* piecesOf(stream: Readable): AsyncGenerator<Generator<Piece>> {
  const incoming = new IncomingBlock();
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      for (let at = 0; at < chunk.length; ) {
        at += incoming.fill(chunk, at);
        if (incoming.isWhole) yield split(incoming.take());
      }
    }
  } catch (error) {
    if (!(error instanceof HostileStreamError)) yield split(incoming.plainSoFar(), true);
    throw error;
  }
  yield split(incoming.plainSoFar(), true);
  if (incoming.isBegun) throw new Error("premature close");
}

/** A block that comes in parts. */
class IncomingBlock {
  private readonly head = Buffer.alloc(blockHead);
  private headed = 0;
  // One for all blocks: the collector has enough to do with what comes.
  private room = Buffer.alloc(0);
  private size = 0;
  private filled = 0;

  get isBegun(): boolean {
    return this.headed > 0;
  }

  get isWhole(): boolean {
    return this.headed === blockHead && this.filled === this.size;
  }

  /** Takes what it needs of a chunk, and tells how much that was. */
  fill(chunk: Buffer, at: number): number {
    if (this.headed === blockHead) {
      const some = chunk.copy(this.room, this.filled, at, at + this.size - this.filled);
      this.filled += some;
      return some;
    }
    const some = chunk.copy(this.head, this.headed, at);
    this.headed += some;
    if (this.headed === blockHead) {
      this.size = sizeOf(this.head);
      if (this.room.length < this.size) this.room = Buffer.allocUnsafe(this.size);
    }
    return some;
  }

  /** Its content, once it is whole. The next one may come then. */
  take(): Buffer {
    const content = unpacked(this.head, this.room.subarray(0, this.size));
    this.headed = this.filled = this.size = 0;
    return content;
  }

  /** What has come of it where it is not packed. */
  plainSoFar(): Buffer {
    return this.room.subarray(0, this.head[0] === 0 ? this.filled : 0);
  }
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

/** @param isCut The block ends somewhere: of its last piece, content is a part. */
function* split(block: Buffer, isCut = false): Generator<Piece> {
  for (let at = 0; at < block.length; ) {
    const begin = at + pieceHead;
    if (begin >= block.length && isCut) return;
    if (begin > block.length) throw foreign();
    const end = begin + block.readUInt32BE(at + 5);
    const kind = block.readUInt8(at);
    if (end > block.length && !isCut) throw foreign();
    if (end > block.length && kind !== contentPiece) return;
    yield { kind, number: block.readUInt32BE(at + 1), content: block.subarray(begin, end) };
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
