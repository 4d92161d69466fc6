import { closeSync, openSync, readSync } from "node:fs";
import { StringDecoder } from "node:string_decoder";

const block = 1024 ** 2;
/** Characters of a line that are looked at. */
const longestLine = 64 * 1024;

/**
 * The lines of a file of any size, one block in memory at a time. A return ends a line too, as progress bars write it.
 * None where the file cannot be read.
 */
export function* readLines(file: string): Generator<string> {
  let open: number;
  try {
    open = openSync(file, "r");
  } catch {
    return;
  }
  try {
    const decoder = new StringDecoder("utf8");
    const buffer = Buffer.allocUnsafe(block);
    let rest = "";
    for (let read = readSync(open, buffer); read > 0; read = readSync(open, buffer)) {
      const lines = (rest + decoder.write(buffer.subarray(0, read))).split(/\r\n|[\r\n]/);
      rest = (lines.pop() ?? "").slice(0, longestLine);
      yield* lines;
    }
    yield rest;
  } finally {
    closeSync(open);
  }
}
