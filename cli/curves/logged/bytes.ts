import { closeSync, fstatSync, openSync, readSync } from "node:fs";

const block = 1024 ** 2;

/** A file that is read from its beginning on, a block in memory at a time. */
export class FileBytes {
  private readonly file: number;
  /** Bytes of the file as it was opened: what comes later is not looked at. */
  readonly size: number;
  private kept: Buffer = Buffer.alloc(0);
  private keptAt = 0;

  /** @throws where it can't be read */
  constructor(path: string) {
    this.file = openSync(path, "r");
    this.size = fstatSync(this.file).size;
  }

  /** So many bytes from a place on; undefined where the file has less. They hold until the next call. */
  at(place: number, length: number): Buffer | undefined {
    if (place + length > this.size) return undefined;
    if (place < this.keptAt || place + length > this.keptAt + this.kept.length) {
      this.kept = Buffer.allocUnsafe(Math.min(Math.max(block, length), this.size - place));
      this.keptAt = place;
      const read = readSync(this.file, this.kept, 0, this.kept.length, place);
      this.kept = this.kept.subarray(0, read);
      if (read < length) return undefined;
    }
    return this.kept.subarray(place - this.keptAt, place - this.keptAt + length);
  }

  close(): void {
    closeSync(this.file);
  }
}
