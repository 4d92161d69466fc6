import { closeSync, openSync, readSync } from "node:fs";
import { join } from "node:path";
import type { Manifest, ManifestEntry } from "../../local/folder/manifest";
import { checkManifest } from "../../local/folder/manifest";
import { parseRunRecord, type RunRecord } from "./run-record";

/** The file in downloaded results that says what they are. */
export const resultsFile = "manifest.json";

/** Content of that file. */
export interface ResultsRecord {
  readonly manifest: Manifest;
  /** ISO 8601 time at which the results came home. */
  readonly createdAt: string;
  /** Where they came from. */
  readonly source: string;
  /** What ran. Absent: an earlier release brought them. */
  readonly run?: RunRecord;
}

const listBegins = '"files":[\n';
const listEnds = "]}\n";
const piece = 1 << 16;

/**
 * Text of the file, in pieces: a manifest with some facts more. A line an entry: hundreds of thousands of them are more
 * than one string should hold.
 */
export function* formatResults({ manifest, createdAt, source, run }: ResultsRecord): Generator<string> {
  const ran = run === undefined ? "" : `"run":${JSON.stringify(run)},`;
  let text = `{"createdAt":${JSON.stringify(createdAt)},"source":${JSON.stringify(source)},${ran}${listBegins}`;
  for (const [index, entry] of manifest.files.entries()) {
    text += `${JSON.stringify(entry)}${index === manifest.files.length - 1 ? "\n" : ",\n"}`;
    if (text.length > piece) {
      yield text;
      text = "";
    }
  }
  yield text + listEnds;
}

/** Reads the content of such a file; `origin` names it in errors. */
export function parseResults(content: Buffer, origin: string): ResultsRecord {
  const { files, createdAt, source, run } = contentOf(content, origin);
  if (!Array.isArray(files) || typeof createdAt !== "string" || typeof source !== "string") {
    throw new Error(`${origin} is not a manifest of results: it needs createdAt, source and files.`);
  }
  const manifest = { files: files as ManifestEntry[] };
  checkManifest(manifest, origin);
  return { manifest, createdAt, source, run: parseRunRecord(run) };
}

interface Value {
  createdAt?: unknown;
  source?: unknown;
  run?: unknown;
  files?: unknown;
}

function contentOf(content: Buffer, origin: string): Value {
  try {
    const head = content.subarray(0, content.indexOf("\n") + 1).toString("utf8");
    // An earlier release wrote it indented, and people may have formatted it: then it is read as a whole.
    if (!head.endsWith(listBegins)) return (JSON.parse(content.toString("utf8")) as Value | null) ?? {};
    return { ...(JSON.parse(`${head}${listEnds}`) as Value), files: entriesOf(content, head) };
  } catch (error) {
    throw new Error(`${origin} is not JSON: ${(error as Error).message}`, { cause: error });
  }
}

function entriesOf(content: Buffer, head: string): unknown[] {
  const files: unknown[] = [];
  for (let at = Buffer.byteLength(head); ; ) {
    const end = content.indexOf("\n", at);
    if (end === -1) throw new Error("it ends in the middle");
    const line = content.toString("utf8", at, end);
    if (line === listEnds.trimEnd()) return files;
    files.push(JSON.parse(line.endsWith(",") ? line.slice(0, -1) : line));
    at = end + 1;
  }
}

/** What the beginning of a record tells. */
export type RecordHead = Pick<ResultsRecord, "createdAt" | "source" | "run">;

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
  const head = beginning.slice(0, beginning.indexOf("\n") + 1);
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
