import { execFile } from "node:child_process";
import { constants } from "node:fs";
import {
  chmod,
  copyFile,
  link,
  mkdir,
  open,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  writeFile,
} from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { promisify } from "node:util";
import type { Manifest } from "../types";
import type { Objects } from "./objects";
import { filesAtOnce, inParallel } from "./parallel";
import { formatResults, parseResults, type ResultsRecord, resultsFile } from "./results-file";

/** What becomes what. */
export interface Assembly {
  readonly manifest: Manifest;
  readonly objects: Objects;
  /** Working folder beside the final one, on the same disk. */
  readonly partial: string;
  readonly final: string;
  readonly source: string;
}

/**
 * Builds the folder from checked content, writes its record last, brings all of it to the disk and swaps it in. Files
 * that people put into the old folder are taken over; an old folder that came from elsewhere is kept under a name of its
 * own.
 */
export async function assemble({ manifest, objects, partial, final, source }: Assembly): Promise<void> {
  const record = { manifest, createdAt: new Date().toISOString(), source };
  const before = await recordOf(final);
  if (before?.source === source && objects.holds(manifest)) {
    await writeRecord(final, record);
    await rm(partial, { recursive: true, force: true });
    return;
  }
  const tree = join(partial, "tree");
  await rm(tree, { recursive: true, force: true });
  await mkdir(tree, { recursive: true });
  const folders = new Set(manifest.files.map(({ path }) => dirname(join(tree, path))));
  await inParallel([...folders], filesAtOnce, (folder) => mkdir(folder, { recursive: true }));
  const used = new Set<string>();
  await inParallel(manifest.files, filesAtOnce, async (entry) => {
    const path = join(tree, entry.path);
    if (entry.link !== undefined) {
      await symlink(entry.link, path);
      return;
    }
    const content = objects.pathOf(entry.sha256);
    // Two paths must not share an inode: who edits one of them would change the other.
    const again = used.has(content);
    used.add(content);
    await (again ? copyOnce(content, path) : linkOrCopy(content, path));
    await chmod(path, entry.executable ? 0o755 : 0o644);
  });
  if (before !== undefined && before.source === source) {
    await takeOver(final, tree, "", new Set([...before.manifest.files.map(({ path }) => path), resultsFile]));
  }
  await writeRecord(tree, record);
  await toDisk(tree, manifest);
  await swap(tree, final, before, source);
  await rm(partial, { recursive: true, force: true });
}

async function writeRecord(folder: string, record: ResultsRecord): Promise<void> {
  const path = join(folder, resultsFile);
  await writeFile(`${path}.new`, formatResults(record), { flush: true });
  await rename(`${path}.new`, path);
}

async function recordOf(final: string): Promise<ResultsRecord | undefined> {
  const file = join(final, resultsFile);
  try {
    return parseResults(await readFile(file, "utf8"), file);
  } catch {
    return undefined;
  }
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
    await copyFile(from, to, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
  } catch (error) {
    throw (error as NodeJS.ErrnoException).code === "EEXIST" ? sameName(to, error) : error;
  }
}

function sameName(path: string, cause: unknown): Error {
  const message = `${path} exists already: this disk takes two names of the results for the same (upper and lower case).`;
  return new Error(message, { cause });
}

/** Files of the old folder that no download had brought belong to people: they stay, where nothing new has their name. */
async function takeOver(old: string, tree: string, relative: string, brought: ReadonlySet<string>): Promise<void> {
  for (const item of await readdir(join(old, relative), { withFileTypes: true })) {
    const path = relative === "" ? item.name : `${relative}/${item.name}`;
    if (item.isDirectory()) {
      await takeOver(old, tree, path, brought);
    } else if (item.isFile() && !brought.has(path)) {
      await mkdir(dirname(join(tree, path)), { recursive: true }).catch(() => {});
      await link(join(old, path), join(tree, path)).catch(() =>
        copyFile(join(old, path), join(tree, path), constants.COPYFILE_EXCL).catch(() => {}),
      );
    }
  }
}

const mostSingleSyncs = 500;

/** The rename must not reach the disk before the content. For many files one call for the whole disk is far faster. */
async function toDisk(tree: string, manifest: Manifest): Promise<void> {
  const files = manifest.files.filter((entry) => entry.link === undefined);
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

async function swap(tree: string, final: string, before: ResultsRecord | undefined, source: string): Promise<void> {
  const old = join(dirname(final), `.old-${basename(final)}`);
  await rm(old, { recursive: true, force: true });
  const exists = (await stat(final).catch(() => undefined)) !== undefined;
  if (exists && before?.source === source) {
    await rename(final, old);
  } else if (exists) {
    const since = before?.createdAt ?? (await stat(final)).mtime.toISOString();
    await rename(final, await freeName(`${final}.${since.replaceAll(/[^0-9TZ]/g, "")}`));
  }
  await rename(tree, final);
  await syncOne(dirname(final));
  await rm(old, { recursive: true, force: true });
}

async function freeName(path: string): Promise<string> {
  for (let number = 0; ; number++) {
    const candidate = number === 0 ? path : `${path}-${number}`;
    if ((await stat(candidate).catch(() => undefined)) === undefined) {
      return candidate;
    }
  }
}
