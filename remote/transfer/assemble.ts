import { execFile } from "node:child_process";
import { createWriteStream, mkdirSync, symlinkSync } from "node:fs";
import { lstat, open, rename, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { promisify } from "node:util";
import { Breaks } from "../../local/folder/breaks";
import type { Manifest } from "../../local/folder/manifest";
import { hasContent, quotedFew } from "../../local/folder/manifest";
import { removeTree } from "../../local/folder/remove-tree";
import type { Listener } from "../../local/listener";
import { fileCounter } from "./counter";
import { type Objects, sameName } from "./objects";
import { formatResults, type ResultsRecord, resultsFile } from "./results-file";
import type { RunRecord } from "./run-record";
import { stampOf, takeOver } from "./take-over";

/** What becomes what. */
export interface Assembly {
  readonly manifest: Manifest;
  readonly objects: Objects;
  /** Working folder beside the final one, on the same disk. */
  readonly partial: string;
  readonly final: string;
  readonly source: string;
  /** How earlier releases told the same source, where what they brought is surely of the same run. */
  readonly formerSource?: string;
  /** What ran, as far as the instance tells it. */
  readonly run?: RunRecord;
  readonly onProgress?: Listener["progress"];
  readonly onStatus?: Listener["status"];
}

/**
 * Completes the folder with content that was here before, writes its record last, brings all of it to the disk and swaps it in. What
 * people put into the old folder is taken over; an old folder that came from elsewhere is kept under a name of its own.
 */
export async function assemble(assembly: Assembly): Promise<void> {
  const { manifest, objects, partial, final, source, formerSource, run, onProgress, onStatus } = assembly;
  const record = { manifest, createdAt: new Date().toISOString(), source, run };
  const before = objects.earlier?.source;
  const isSame = before !== undefined && (before === source || before === formerSource);
  if (isSame && objects.holds(manifest)) {
    await writeRecord(final, partial, record);
    await removeTree(partial);
    return;
  }
  const tree = objects.root;
  const breaks = new Breaks();
  const count = fileCounter(onStatus, "putting into place", manifest.files.length);
  for (const entry of manifest.files) {
    if (entry.folder === true) mkdirSync(objects.placeFor(entry.path), { recursive: true });
    else if (entry.link !== undefined) putLink(entry.link, objects.placeFor(entry.path));
    else await objects.place(entry, isSame);
    count(1);
    await breaks.take();
  }
  if (isSame) {
    const renamed = await takeOver(final, tree, objects);
    if (renamed.length > 0) {
      onProgress?.(`Kept your changed results beside the downloaded ones: ${quotedFew(renamed)}`);
    }
  }
  await writeRecord(tree, partial, record);
  onStatus?.("writing to the disk");
  await toDisk(tree, manifest);
  const kept = await swap(tree, final, isSame, objects.earlier);
  if (kept !== undefined) onProgress?.(`The results in ${final} were of another run: they are kept as ${kept}`);
  await removeTree(partial);
}

function putLink(target: string, path: string): void {
  try {
    symlinkSync(target, path);
  } catch (error) {
    throw sameName(path, error);
  }
}

/** Written elsewhere first: every name in the folder may be one of the results. */
async function writeRecord(folder: string, partial: string, record: ResultsRecord): Promise<void> {
  const path = join(partial, resultsFile);
  await pipeline(Readable.from(formatResults(record)), createWriteStream(path, { flush: true }));
  await rename(path, join(folder, resultsFile));
}

const mostSingleSyncs = 500;

/** The rename must not reach the disk before the content. For many files one call for the whole disk is far faster. */
async function toDisk(tree: string, manifest: Manifest): Promise<void> {
  const files = manifest.files.filter(hasContent);
  if (files.length > mostSingleSyncs) {
    await promisify(execFile)("sync", process.platform === "linux" ? ["-f", tree] : []);
    return;
  }
  for (const { path } of [...files, { path: resultsFile }, { path: "." }]) {
    await syncOne(join(tree, path));
  }
}

async function syncOne(path: string): Promise<void> {
  const handle = await open(path, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** @returns where the old folder is kept, where it is of another run. */
async function swap(
  tree: string,
  final: string,
  isSame: boolean,
  before: ResultsRecord | undefined,
): Promise<string | undefined> {
  const old = join(dirname(final), `.old-${basename(final)}`);
  await removeTree(old);
  let kept: string | undefined;
  const there = await lstat(final).catch(() => undefined);
  if (there !== undefined && isSame) {
    await rename(final, old);
  } else if (there !== undefined) {
    kept = await freeName(`${final}.${stampOf(before?.createdAt ?? there.mtime.toISOString())}`);
    await rename(final, kept);
  }
  await rename(tree, final);
  await syncOne(dirname(final));
  await removeTree(old);
  return kept;
}

async function freeName(path: string): Promise<string> {
  for (let number = 0; ; number++) {
    const candidate = number === 0 ? path : `${path}-${number}`;
    if ((await lstat(candidate).catch(() => undefined)) === undefined) {
      return candidate;
    }
  }
}

/** A crash between the two renames of a swap leaves the old folder under another name: it gets its own back. */
export async function recoverSwap(final: string): Promise<void> {
  const old = join(dirname(final), `.old-${basename(final)}`);
  const there = async (path: string): Promise<boolean> => (await stat(path).catch(() => undefined)) !== undefined;
  if (!(await there(old))) {
    return;
  }
  if (await there(final)) {
    await removeTree(old);
  } else {
    await rename(old, final);
  }
}
