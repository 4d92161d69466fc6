import { execFile } from "node:child_process";
import { createWriteStream } from "node:fs";
import { chmod, link, lstat, mkdir, open, rename, stat, symlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { promisify } from "node:util";
import type { Manifest, ManifestEntry } from "../../local/folder/manifest";
import { quotedFew } from "../../local/folder/manifest";
import { filesAtOnce, inParallel } from "../../local/folder/parallel";
import { removeTree } from "../../local/folder/remove-tree";
import type { Listener } from "../../local/listener";
import { fileCounter } from "./counter";
import type { Objects } from "./objects";
import { formatResults, type ResultsRecord, resultsFile } from "./results-file";
import type { RunRecord } from "./run-record";
import { copySparse } from "./sparse";
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
 * Builds the folder from checked content, writes its record last, brings all of it to the disk and swaps it in. What
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
  const tree = join(partial, "tree");
  await removeTree(tree);
  await mkdir(tree, { recursive: true });
  const folders = new Set(
    manifest.files.map(({ path, folder }) => (folder === true ? join(tree, path) : dirname(join(tree, path)))),
  );
  await inParallel([...folders], filesAtOnce, (folder) => mkdir(folder, { recursive: true }));
  const used = new Set<string>();
  const count = fileCounter(onStatus, "putting into place", manifest.files.length);
  await inParallel(manifest.files, filesAtOnce, async (entry) => {
    await place(entry, join(tree, entry.path), objects, isSame, used);
    count(1);
  });
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

/** Puts one entry into the tree. No two paths, and no two folders of results, share an inode: who edits one would change the other. */
async function place(
  entry: ManifestEntry,
  path: string,
  objects: Objects,
  replacesEarlier: boolean,
  used: Set<string>,
): Promise<void> {
  if (entry.folder === true) return;
  if (entry.link !== undefined) {
    await symlink(entry.link, path).catch((error: unknown) => {
      throw (error as NodeJS.ErrnoException).code === "EEXIST" ? sameName(path, error) : error;
    });
    return;
  }
  const content = objects.sourceOf(entry.sha256);
  const isItsOwn = !used.has(entry.sha256) && (replacesEarlier || !content.isEarlier);
  used.add(entry.sha256);
  await (isItsOwn ? linkOrCopy(content.path, path) : copyOnce(content.path, path));
  await chmod(path, entry.executable ? 0o755 : 0o644);
}

/** Written elsewhere first: every name in the folder may be one of the results. */
async function writeRecord(folder: string, partial: string, record: ResultsRecord): Promise<void> {
  const path = join(partial, resultsFile);
  await pipeline(Readable.from(formatResults(record)), createWriteStream(path, { flush: true }));
  await rename(path, join(folder, resultsFile));
}

async function linkOrCopy(from: string, to: string): Promise<void> {
  try {
    await link(from, to);
  } catch (error) {
    // A disk without hard links.
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") {
      return copyOnce(from, to);
    }
    throw sameName(to, error);
  }
}

async function copyOnce(from: string, to: string): Promise<void> {
  try {
    await copySparse(from, to);
  } catch (error) {
    throw (error as NodeJS.ErrnoException).code === "EEXIST" ? sameName(to, error) : error;
  }
}

function sameName(path: string, cause: unknown): Error {
  const message = `${path} exists already: this disk takes two names of the results for the same (upper and lower case).`;
  return new Error(message, { cause });
}

const mostSingleSyncs = 500;

/** The rename must not reach the disk before the content. For many files one call for the whole disk is far faster. */
async function toDisk(tree: string, manifest: Manifest): Promise<void> {
  const files = manifest.files.filter(({ link: target, folder }) => target === undefined && folder !== true);
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
