import { closeSync, fsyncSync, openSync, readSync, writeSync } from "node:fs";

const blockBytes = 1 << 20;
/** Text that waits to be written. It is small: what lives longer makes the heap grow. */
const waitingLength = 1 << 16;
/** How much is read around a line that is looked up: the next one is often near. */
const nearBytes = 1 << 14;

/** The lines of a part of a file, without their ends. Holds a block of them at a time, and leaves out empty ones. */
export function* linesOf(file: number, begin: number, end: number, most = blockBytes): Generator<string> {
  const block = Buffer.allocUnsafe(Math.min(most, end - begin));
  let rest: Buffer[] = [];
  for (let at = begin; at < end; ) {
    const length = readSync(file, block, 0, Math.min(block.length, end - at), at);
    if (length === 0) break;
    at += length;
    const last = block.lastIndexOf("\n", length - 1) + 1;
    if (last > 0) {
      const whole = Buffer.concat([...rest, block.subarray(0, last)]).toString("utf8");
      rest = [];
      for (const line of whole.split("\n")) if (line !== "") yield line;
    }
    rest.push(Buffer.from(block.subarray(last, length)));
  }
  const left = Buffer.concat(rest).toString("utf8");
  if (left !== "") yield left;
}

/** A file of lines that grows, and is read again meanwhile: for lists that are too long for the memory. */
export class LineFile {
  private readonly file: number;
  private isOpen = true;
  private waiting = "";
  /** Bytes that are written. */
  private written = 0;
  /** Bytes of all lines. */
  private size = 0;
  private near = { at: 0, bytes: Buffer.alloc(0) };
  private lineCount = 0;

  /** What lies at the path is emptied. */
  constructor(path: string) {
    this.file = openSync(path, "w+", 0o600);
  }

  /** Number of lines. */
  get count(): number {
    return this.lineCount;
  }

  /** Where the next line begins. */
  get end(): number {
    return this.size;
  }

  /** Adds a line, and tells where it begins. */
  add(line: string): number {
    const begin = this.size;
    this.waiting += `${line}\n`;
    this.size += Buffer.byteLength(line) + 1;
    this.lineCount += 1;
    if (this.waiting.length > waitingLength) this.flush();
    return begin;
  }

  /** The lines of a part of it, by default of all. */
  lines(begin = 0, end = this.size, most = blockBytes): Generator<string> {
    this.flush();
    return linesOf(this.file, begin, end, most);
  }

  /** The line that begins at a place. */
  at(begin: number): string {
    const line = this.lineNear(begin);
    if (line !== undefined) return line;
    this.flush();
    for (let bytes = nearBytes; ; bytes *= 2) {
      const block = Buffer.allocUnsafe(Math.min(bytes, this.written - begin));
      this.near = { at: begin, bytes: block.subarray(0, readSync(this.file, block, 0, block.length, begin)) };
      const found = this.lineNear(begin);
      if (found !== undefined) return found;
      if (block.length < bytes) throw new Error("A list in the folder of a download was changed by another program.");
    }
  }

  private lineNear(begin: number): string | undefined {
    const { at, bytes } = this.near;
    if (begin < at) return undefined;
    const end = bytes.indexOf("\n", begin - at);
    return end === -1 ? undefined : bytes.toString("utf8", begin - at, end);
  }

  /** Brings all lines to the disk. */
  sync(): void {
    this.flush();
    fsyncSync(this.file);
  }

  /** Nothing is added or read any more. */
  close(): void {
    if (this.isOpen) closeSync(this.file);
    this.isOpen = false;
  }

  private flush(): void {
    const bytes = Buffer.from(this.waiting);
    this.waiting = "";
    for (let at = 0; at < bytes.length; ) at += writeSync(this.file, bytes, at, bytes.length - at, this.written + at);
    this.written += bytes.length;
  }
}
