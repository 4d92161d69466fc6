import { closeSync, fstatSync, openSync, readFileSync, readSync } from "node:fs";
import { join } from "node:path";
import { Breaks } from "../../local/folder/breaks";
import { LineFile, linesOf } from "../../local/folder/lines";
import { byPath, checkEntry, type ManifestEntry, PathsCheck } from "../../local/folder/manifest";
import { parseRunRecord, type RunRecord } from "./run-record";

/** The file in downloaded results that says what they are. */
export const resultsFile = "manifest.json";

/** What the beginning of that file tells. */
export interface RecordHead {
  /** ISO 8601 time at which the results came home. */
  readonly createdAt: string;
  /** Where they came from. */
  readonly source: string;
  /** What ran. Absent: an earlier release brought them. */
  readonly run?: RunRecord;
}

const listBegins = '"files":[';
const listEnds = "]}";

/** Such a file: the head, and a line for each entry. There may be a million: they stay on the disk. */
export class ResultsRecord {
  private constructor(
    readonly path: string,
    readonly head: RecordHead,
    /** Number of entries, and bytes of content. */
    readonly count: number,
    readonly bytes: number,
  ) {}

  /** Reads such a file and checks all of it. */
  static read(path: string): ResultsRecord {
    const { value, entries } = opened(path);
    const { createdAt, source, run } = value;
    if (entries === undefined || typeof createdAt !== "string" || typeof source !== "string") {
      throw new Error(`${path} is not a manifest of results: it needs createdAt, source and files.`);
    }
    const paths = new PathsCheck(path);
    let [count, bytes] = [0, 0];
    for (const entry of entries) {
      checkEntry(entry, path);
      paths.add(entry.path);
      count += 1;
      bytes += entry.size;
    }
    return new ResultsRecord(path, { createdAt, source, run: parseRunRecord(run) }, count, bytes);
  }

  /** Writes such a file, with entries that come by their paths, and brings it to the disk. */
  static async write(path: string, head: RecordHead, entries: Iterable<RecordLine>): Promise<ResultsRecord> {
    const lines = new LineFile(path);
    try {
      lines.add(headLine(head));
      let [count, bytes, last] = [0, 0, ""];
      const breaks = new Breaks();
      for (const { entry, text } of entries) {
        await breaks.take();
        // All but the last one have a comma behind them.
        if (count > 0) lines.add(`${last},`);
        last = text;
        count += 1;
        bytes += entry.size;
      }
      if (count > 0) lines.add(last);
      lines.add(listEnds);
      lines.sync();
      return new ResultsRecord(path, head, count, bytes);
    } finally {
      lines.close();
    }
  }

  /** The same at another path. */
  at(path: string): ResultsRecord {
    return new ResultsRecord(path, this.head, this.count, this.bytes);
  }

  /** The entries, by path. Each call begins anew. */
  *entries(): Generator<ManifestEntry> {
    yield* opened(this.path).entries ?? [];
  }
}

/** The first line of such a file. */
export function headLine({ createdAt, source, run }: RecordHead): string {
  const ran = run === undefined ? "" : `"run":${JSON.stringify(run)},`;
  return `{"createdAt":${JSON.stringify(createdAt)},"source":${JSON.stringify(source)},${ran}${listBegins}`;
}

/** An entry, and the same as JSON. */
interface RecordLine {
  readonly entry: ManifestEntry;
  readonly text: string;
}

interface Value {
  createdAt?: unknown;
  source?: unknown;
  run?: unknown;
  files?: unknown;
}

/** What a file says before its list, and the list; without one it is none of ours. */
function opened(path: string): { readonly value: Value; readonly entries?: Iterable<ManifestEntry> } {
  try {
    const lines = linesIn(path);
    const first = lines.next().value ?? "";
    if (first.endsWith(listBegins)) {
      return { value: JSON.parse(`${first}${listEnds}`) as Value, entries: entriesOf(lines, path) };
    }
    lines.return(undefined);
    // An earlier release wrote it indented, and people may have formatted it: then it is read as a whole.
    const value = (JSON.parse(readFileSync(path, "utf8")) as Value | null) ?? {};
    const { files } = value;
    return { value, entries: Array.isArray(files) ? (files as ManifestEntry[]).sort(byPath) : undefined };
  } catch (error) {
    throw notJson(path, error);
  }
}

function* linesIn(path: string): Generator<string, undefined> {
  const file = openSync(path, "r");
  try {
    yield* linesOf(file, 0, fstatSync(file).size);
  } finally {
    closeSync(file);
  }
}

function* entriesOf(lines: Iterable<string>, path: string): Generator<ManifestEntry> {
  for (const line of lines) {
    if (line === listEnds) return;
    let entry: ManifestEntry;
    try {
      entry = JSON.parse(line.endsWith(",") ? line.slice(0, -1) : line) as ManifestEntry;
    } catch (error) {
      throw notJson(path, error);
    }
    yield entry;
  }
  throw notJson(path, new Error("it ends in the middle"));
}

function notJson(path: string, error: unknown): Error {
  return new Error(`${path} is not JSON: ${(error as Error).message}`, { cause: error });
}

const headBytes = 4096;
/** Longer than any config that is kept in it. */
const mostHeadBytes = 8 << 20;

/** When results came home, from where, and what ran; reads the beginning of their record alone. undefined where that does not tell. */
export function recordHead(folder: string): RecordHead | undefined {
  try {
    const handle = openSync(join(folder, resultsFile), "r");
    try {
      const beginning = firstLine(handle);
      const found = /^\{\s*"createdAt":\s*("(?:[^"\\]|\\.)*"),\s*"source":\s*("(?:[^"\\]|\\.)*")/.exec(beginning);
      if (found === null) return undefined;
      const createdAt = JSON.parse(found[1] ?? "") as string;
      return { createdAt, source: JSON.parse(found[2] ?? "") as string, run: runIn(beginning) };
    } finally {
      closeSync(handle);
    }
  } catch {
    return undefined;
  }
}

/** What ran, by the first line of a record; undefined where that is none as this release writes it. */
function runIn(beginning: string): RunRecord | undefined {
  const head = beginning.slice(0, Math.max(0, beginning.indexOf("\n")));
  return head.endsWith(listBegins) ? parseRunRecord((JSON.parse(`${head}${listEnds}`) as Value).run) : undefined;
}

/** The beginning of a file: its first line at least. */
function firstLine(handle: number): string {
  const pieces: Buffer[] = [];
  for (let size = 0; size < mostHeadBytes; ) {
    const buffer = Buffer.alloc(headBytes);
    const read = readSync(handle, buffer);
    pieces.push(buffer.subarray(0, read));
    size += read;
    // An earlier release wrote it indented: then the lines after the brace tell.
    if (read === 0 || buffer.subarray(0, read).lastIndexOf("\n") > 2) break;
  }
  return Buffer.concat(pieces).toString("utf8");
}
