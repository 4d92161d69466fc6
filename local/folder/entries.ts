import type { BigIntStats } from "node:fs";
import { lstat, readdir, readlink, stat } from "node:fs/promises";
import { join } from "node:path";
import { type Hashed, stampOf } from "./folder-hashes";
import { LocalReadError, unreadable } from "./local-error";
import { isSafePath } from "./manifest";
import { filesAtOnce, inParallel } from "./parallel";
import type { Reading } from "./progress";

/** An entry that was found, or a folder. There may be a million: what is not needed of them is not kept. */
export interface Found extends Hashed {
  isFolder?: boolean;
}

/** Notes an empty folder; the root itself is made anyway. */
export function addEmptyFolder(found: Found[], path: string): void {
  if (path !== "") found.push({ path, size: 0, executable: false, folder: true });
}

/** What lies right in a folder. */
export async function list(root: string, relative: string, tell: Reading): Promise<Found[]> {
  const names = await readdir(join(root, relative)).catch((error: unknown) => unreadable(join(root, relative), error));
  const items = await inParallel(names, filesAtOnce, (name) =>
    entryAt(root, relative === "" ? name : `${relative}/${name}`, tell),
  );
  return items.filter((item) => item !== undefined);
}

/** The file, link or folder at a path; undefined for one that is none of these. */
export async function entryAt(root: string, path: string, tell: Reading): Promise<Found | undefined> {
  if (!isSafePath(path) || path.includes("\uFFFD")) {
    throw new LocalReadError(
      `The file name ${JSON.stringify(path)} in ${root} is not valid UTF-8 (or too long); rename it.`,
    );
  }
  tell.found();
  const absolute = join(root, path);
  const info = await lstat(absolute, { bigint: true });
  if (info.isSymbolicLink()) {
    const link = await readlink(absolute);
    return { path, size: Buffer.byteLength(link), executable: false, link };
  }
  return info.isFile() || info.isDirectory() ? describeOne(path, info) : undefined;
}

function describeOne(path: string, info: BigIntStats): Found {
  const executable = (info.mode & 0o100n) !== 0n;
  return info.isDirectory()
    ? { path, size: 0, executable: false, isFolder: true }
    : { path, size: Number(info.size), executable, stamp: stampOf(info), sha256: undefined };
}

/** What a link leads to, in its place. */
export async function follow(root: string, path: string): Promise<Found> {
  const absolute = join(root, path);
  const info = await stat(absolute, { bigint: true }).catch(() => undefined);
  if (info === undefined) {
    throw new LocalReadError(`The symbolic link ${path} (${absolute}) leads nowhere; remove or repair it.`);
  }
  return describeOne(path, info);
}
