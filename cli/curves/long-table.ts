import { join } from "node:path";
import { readChunks, TextLines } from "./text-lines";

/** Bytes from which on a table is not read whole, and up to which its lines are. */
const longest = 64 << 20;
const longestLines = 1 << 30;
const mostRows = 2000;

/** Whether a file has a row on each line, and is too long to be read whole. */
export function isLongTable(path: string, bytes: number): boolean {
  return /\.(?:jsonl|csv)$/i.test(path) && bytes > longest && bytes <= longestLines;
}

/** Some rows of each table, path → text: evenly chosen, the last one among them. One block is in memory at a time. */
export function someRows(folder: string, paths: Iterable<string>): Record<string, string> {
  return Object.fromEntries([...paths].map((path) => [path, rowsIn(join(folder, path), /\.csv$/i.test(path))]));
}

function rowsIn(file: string, hasHead: boolean): string {
  const lines = new TextLines();
  let head: string | undefined;
  let kept: string[] = [];
  let last: string | undefined;
  let [every, count] = [1, 0];
  for (const chunk of readChunks(file)) {
    for (const line of lines.push(chunk)) {
      if (hasHead && head === undefined) {
        head = line;
        continue;
      }
      if (count % every === 0) kept.push(line);
      last = count % every === 0 ? undefined : line;
      count += 1;
      if (kept.length < mostRows) continue;
      last = kept.at(-1);
      kept = kept.filter((_, at) => at % 2 === 0);
      every *= 2;
    }
  }
  return [head, ...kept, last].flatMap((line) => (line === undefined ? [] : [`${line}\n`])).join("");
}
