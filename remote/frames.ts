/** A piece of a log: where it begins, and its bytes. */
export interface Frame {
  readonly offset: number;
  readonly data: Buffer;
}

const longestHead = 64;

/**
 * Cuts what the agent sends into its frames, whatever pieces it comes in. A frame's bytes are given as they come, so
 * that a frame that is cut by a lost connection counts as far as it got.
 */
export class FrameReader {
  private head = "";
  private offset = 0;
  private left = 0;

  /** The frames, or parts of frames, that a chunk holds. @throws Error where it is no such stream. */
  *read(chunk: Buffer): Generator<Frame> {
    let at = 0;
    while (at < chunk.length) {
      if (this.left === 0) {
        const end = chunk.indexOf(0x0a, at);
        this.head += chunk.toString("latin1", at, end < 0 ? chunk.length : end);
        const match = /^(\d{1,15}) (\d{1,15})$/.exec(this.head);
        if (this.head.length > longestHead || (end >= 0 && match === null)) {
          throw new Error("The instance returned something other than the log. Check ~/.lambda-train/agent there.");
        }
        if (end < 0) return;
        at = end + 1;
        this.head = "";
        this.offset = Number(match?.[1]);
        this.left = Number(match?.[2]);
        if (this.left === 0) yield { offset: this.offset, data: Buffer.alloc(0) };
        continue;
      }
      const data = chunk.subarray(at, at + this.left);
      yield { offset: this.offset, data };
      at += data.length;
      this.offset += data.length;
      this.left -= data.length;
    }
  }
}
