import { Transform, type TransformCallback } from "node:stream";

/**
 * Says what becomes of a chunk: how many milliseconds it waits, or `stall` to ask again later.
 *
 * @param isNew false where the chunk was asked about before
 */
export type Judge = (size: number, isNew: boolean) => number | "stall";

/** How often a stalled connection checks whether it may continue. */
const stallPollMs = 50;
/** Longest piece that is judged as one, so that a slow link is slow and not jerky. */
const pieceBytes = 16 * 1024;

/** One direction of a connection. */
export class Gate extends Transform {
  constructor(private readonly judge: Judge) {
    super();
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    this.pass(chunk, true, done);
  }

  private pass(chunk: Buffer, isNew: boolean, done: TransformCallback): void {
    const piece = chunk.subarray(0, pieceBytes);
    const verdict = this.judge(piece.length, isNew);
    const go = (): void => {
      if (piece.length === chunk.length) {
        done(null, chunk);
      } else {
        this.push(piece);
        this.pass(chunk.subarray(pieceBytes), true, done);
      }
    };
    if (verdict === "stall") this.later(stallPollMs, () => this.pass(chunk, false, done));
    else if (verdict > 0) this.later(verdict, go);
    else go();
  }

  private later(ms: number, action: () => void): void {
    setTimeout(() => {
      if (!this.destroyed) action();
    }, ms).unref();
  }
}
