import { lstatSync, readlinkSync, type Stats, statSync } from "node:fs";
import { join } from "node:path";
import { LocalReadError } from "./local-error";
import { isSafePath } from "./manifest";

/** An entry that was found, or a folder. There may be a million: what is not needed of them is not kept. */
export interface Found {
  readonly path: string;
  readonly size: number;
  readonly executable: boolean;
  readonly link?: string;
  /** True for an empty folder. */
  readonly folder?: true;
  /** True for a folder that is no entry itself. */
  readonly isFolder?: boolean;
  /** Of a file: what changes with its content. */
  readonly stamp?: string;
  /** Of a file: when it last changed in any way, in ms. */
  readonly changedAt?: number;
}

/** An empty folder. */
export function emptyFolder(path: string): Found {
  return { path, size: 0, executable: false, folder: true };
}

/**
 * The file, link or folder at a path; undefined for one that is none of these. Asks the disk in one go: for many files
 * that costs a fifth of what waiting for each answer does.
 */
export function entryAt(root: string, path: string): Found | undefined {
  if (!isSafePath(path) || path.includes("\uFFFD")) {
    throw new LocalReadError(
      `The file name ${JSON.stringify(path)} in ${root} is not valid UTF-8 (or too long); rename it.`,
    );
  }
  const absolute = join(root, path);
  const info = lstatSync(absolute);
  if (info.isSymbolicLink()) {
    const link = readlinkSync(absolute);
    return { path, size: Buffer.byteLength(link), executable: false, link };
  }
  return info.isFile() || info.isDirectory() ? describeOne(path, info) : undefined;
}

/** The same of what may be gone: git's index names files that are not there, and a folder may change while it is read. */
export function entryIfThere(root: string, path: string): Found | undefined {
  try {
    return entryAt(root, path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw error;
  }
}

function describeOne(path: string, info: Stats): Found {
  if (info.isDirectory()) return { path, size: 0, executable: false, isFolder: true };
  return {
    path,
    size: info.size,
    executable: (info.mode & 0o100) !== 0,
    stamp: stampOf(info),
    changedAt: info.ctimeMs,
  };
}

/** Size, times and inode of a file as one text. */
export function stampOf({ size, mtimeMs, ctimeMs, ino }: Stats): string {
  return `${size}:${mtimeMs}:${ctimeMs}:${ino}`;
}

/** What a link leads to, in its place. */
export function follow(root: string, path: string): Found {
  const absolute = join(root, path);
  const info = statSync(absolute, { throwIfNoEntry: false });
  if (info === undefined) {
    throw new LocalReadError(`The symbolic link ${path} (${absolute}) leads nowhere; remove or repair it.`);
  }
  return describeOne(path, info);
}
