import { closeSync, openSync, readSync } from "node:fs";
import { StringDecoder } from "node:string_decoder";
import { longestLine } from "./line";

const block = 1024 ** 2;

/**
 * Cuts a text into lines as its bytes come. A return ends a line too: what a progress bar shows at a time is one. Of a long
 * line its beginning is kept.
 */
export class TextLines {
  private readonly decoder = new StringDecoder("utf8");
  private rest = "";

  /** The lines that a chunk completes. */
  push(chunk: Buffer): string[] {
    const lines = this.decoder.write(chunk).split(/[\r\n]/);
    lines[0] = this.rest + (lines[0] ?? "");
    this.rest = kept(lines.pop() ?? "");
    return lines.filter((line) => line !== "");
  }

  /** The line that has no end yet. */
  get open(): string {
    return this.rest;
  }
}

/** Escape sequences are looked at too, and show nothing. */
function kept(line: string): string {
  return line.slice(0, 2 * longestLine);
}

/** Reads a file of any size, one block in memory at a time. Nothing if it can't be read. */
export function* readChunks(file: string): Generator<Buffer> {
  let open: number;
  try {
    open = openSync(file, "r");
  } catch {
    return;
  }
  try {
    const buffer = Buffer.allocUnsafe(block);
    for (let read = readSync(open, buffer); read > 0; read = readSync(open, buffer)) yield buffer.subarray(0, read);
  } finally {
    closeSync(open);
  }
}
