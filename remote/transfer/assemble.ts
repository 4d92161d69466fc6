import { execFile } from "node:child_process";
import { mkdirSync, symlinkSync } from "node:fs";
import { lstat, open, rename, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { promisify } from "node:util";
import { Breaks } from "../../local/folder/breaks";
import { Cursor } from "../../local/folder/cursor";
import type { ManifestEntry } from "../../local/folder/manifest";
import { hasContent, quotedFew } from "../../local/folder/manifest";
import { removeTree } from "../../local/folder/remove-tree";
import type { Listener } from "../../local/listener";
import { hasCheckpointName } from "../written";
import { fileCounter } from "./counter";
import { type Objects, sameName } from "./objects";
import { type ResultsRecord, resultsFile } from "./results-file";
import type { Settled } from "./settle";
import { stampOf, takeOver } from "./take-over";

/** What becomes what. */
export interface Assembly extends Pick<Settled, "record" | "rest"> {
  readonly objects: Objects;
  /** Working folder beside the final one, on the same disk. */
  readonly partial: string;
  readonly final: string;
  /** How earlier releases told the same source, where what they brought is surely of the same run. */
  readonly formerSource?: string;
  /** The source of results with which this run goes on. */
  readonly goesOnFrom?: string;
  readonly onProgress?: Listener["progress"];
  readonly onStatus?: Listener["status"];
}

/**
 * Completes the folder with content that was here before, puts its record in last, brings all of it to the disk and swaps
 * it in. What people put into the old folder is taken over; an old folder that came from elsewhere is kept under a name of
 * its own.
 * @returns the record in its place
 */
export async function assemble(assembly: Assembly): Promise<ResultsRecord> {
  const { record, objects, partial, final, formerSource, goesOnFrom } = assembly;
  const before = objects.earlier?.head.source;
  const isSame =
    before !== undefined &&
    (before === record.head.source || before === formerSource || (before === goesOnFrom && (await hasAll(assembly))));
  if (isSame && (await objects.holds(record))) await rename(record.path, join(final, resultsFile));
  else await putInPlace(assembly, isSame);
  assembly.rest.close();
  objects.close();
  await removeTree(partial);
  return record.at(join(final, resultsFile));
}

/** Whether what came has all that is here of an earlier instance, but for checkpoints, which training removes. */
async function hasAll({ record, objects }: Assembly): Promise<boolean> {
  const there = new Cursor(record.entries());
  const breaks = new Breaks();
  try {
    for (const { path } of objects.earlier?.entries() ?? []) {
      if (!hasCheckpointName(path) && there.find(path)?.path !== path) return false;
      await breaks.take();
    }
    return true;
  } finally {
    there.close();
  }
}

async function putInPlace(assembly: Assembly, isSame: boolean): Promise<void> {
  const { record, rest, objects, final, onProgress, onStatus } = assembly;
  const tree = objects.root;
  const breaks = new Breaks();
  const count = fileCounter(onStatus, "putting into place", rest.count);
  for (const line of rest.lines()) {
    const entry = JSON.parse(line) as ManifestEntry;
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
  onStatus?.("writing to the disk");
  await toDisk(tree, record);
  // Written elsewhere first: every name in the folder may be one of the results.
  await rename(record.path, join(tree, resultsFile));
  await syncOne(tree);
  const kept = await swap(tree, final, isSame, objects.earlier);
  if (kept !== undefined) onProgress?.(`The results in ${final} were of another run: they are kept as ${kept}`);
}

function putLink(target: string, path: string): void {
  try {
    symlinkSync(target, path);
  } catch (error) {
    throw sameName(path, error);
  }
}

const mostSingleSyncs = 500;

/** The rename must not reach the disk before the content. For many files one call for the whole disk is far faster. */
async function toDisk(tree: string, record: ResultsRecord): Promise<void> {
  if (record.count > mostSingleSyncs) {
    await promisify(execFile)("sync", process.platform === "linux" ? ["-f", tree] : []);
    return;
  }
  for (const entry of record.entries()) if (hasContent(entry)) await syncOne(join(tree, entry.path));
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
    kept = await freeName(`${final}.${stampOf(before?.head.createdAt ?? there.mtime.toISOString())}`);
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
