import { realpath, stat } from "node:fs/promises";
import { join } from "node:path";
import { refusePointers } from "../git/lfs";
import { everythingIn } from "./everything";
import { type FolderIndex, indexOf } from "./folder-index";
import { hashFile, hashText } from "./hashes";
import { LocalReadError, unreadable } from "./local-error";
import type { ManifestEntry } from "./manifest";
import { byPath, isSafePath, isUnder, ManifestDigest, normalizePaths, staysInside } from "./manifest";
import { reading } from "./progress";
import { checkAmount } from "./surprise";
import { takenByGit } from "./taken";

/** One entry of a manifest. Its content is in the tree's folder, unless it is given. */
export interface LocalFile extends ManifestEntry {
  /** Content that comes from the plan instead of the disk. */
  readonly content?: string;
  /** Where its content is, if not at its path below the root. */
  readonly from?: string;
}

/** A folder as it is to be on the instance. */
export interface LocalTree {
  /** Absolute path of the folder on this machine. */
  readonly root: string;
  /** As `manifestHash` gives it. */
  readonly hash: string;
  /** Number of entries. */
  readonly count: number;
  /** Bytes of content. */
  readonly bytes: number;
  /** The entries, by path. Each call begins anew. */
  entries(): Iterable<LocalFile>;
}

/** A workload's code. */
export interface CodeTree extends LocalTree {
  /** Places of its repositories; the empty one is the workload itself. */
  readonly repositories: readonly string[];
}

/** What belongs to the code, besides the folder itself. */
export interface WalkCodeOptions {
  /** Files that are written over the folder's own, path → content. */
  readonly extraFiles?: Readonly<Record<string, string>>;
  /** Files and folders from elsewhere that are written over the folder's own, path → absolute path here. */
  readonly broughtFiles?: Readonly<Record<string, string>>;
  /** Paths that are not code: dataset and outputs. */
  readonly protectedPaths?: readonly string[];
  /** Folder for remembered checksums, `<local>/hashes`. */
  readonly hashFolder?: string;
  /** Takes how far the reading is, as often as that changes. */
  readonly onReading?: (detail: string) => void;
  /** More files than this are refused as a surprise. Default 20,000. */
  readonly maxFiles?: number;
  /** More bytes than this are refused as a surprise. Default 2 GiB. */
  readonly maxBytes?: number;
}

/**
 * The code of a workload: everything that git would take (tracked or not ignored), without `.git` and the protected paths,
 * and with the files of submodules. A symbolic link that leads out of the folder is an error.
 */
export async function walkCode(folder: string, options: WalkCodeOptions = {}): Promise<CodeTree> {
  const root = await existing(folder, "workload");
  const tell = reading(options.onReading);
  const { found, repositories } = await takenByGit(root, normalizePaths(options.protectedPaths ?? []), tell);
  checkAmount(root, found, { files: options.maxFiles ?? 20_000, bytes: options.maxBytes ?? 2 * 1024 ** 3 });
  for (const { path, link } of found) if (link !== undefined) checkLink(path, link);
  const given = await givenFiles(options);
  const isReplaced = new Set(given.map(({ path }) => path));
  const holdsGiven = (folder: string): boolean => given.some(({ path }) => isUnder(path, [folder]));
  const own = found.filter(({ path, folder }) => !isReplaced.has(path) && (folder !== true || !holdsGiven(path)));
  own.sort(byPath);
  // The listing has told of each one.
  const how = { kind: "code", hashFolder: options.hashFolder, tell: { ...tell, found: () => {} } } as const;
  const index = await indexOf(root, () => own, how);
  return { ...(given.length === 0 ? treeOf(root, index) : merged(root, index, given)), repositories };
}

/**
 * Everything below a folder, without ignore rules: a dataset. Symbolic links that stay inside are kept; those that lead
 * out are followed, since datasets are often put together from other disks.
 * @param options `hash`: what was found by an earlier look will do, where it has this hash.
 */
export async function walkAll(
  folder: string,
  options: Pick<WalkCodeOptions, "hashFolder" | "onReading"> & { readonly hash?: string } = {},
): Promise<LocalTree> {
  const root = await existing(folder, "dataset");
  const refuse = (pointers: readonly string[]) => refusePointers("dataset", root, pointers);
  const { hashFolder, onReading, hash } = options;
  const how = { kind: "all", hashFolder, hash, tell: reading(onReading), refuse } as const;
  return treeOf(root, await indexOf(root, () => everythingIn(root), how));
}

function treeOf(root: string, index: FolderIndex): LocalTree {
  const { hash, count, bytes } = index;
  return { root, hash, count, bytes, entries: () => index.entries() };
}

/** A tree with files from elsewhere in it. */
function merged(root: string, index: FolderIndex, given: readonly LocalFile[]): LocalTree {
  const entries: LocalFile[] = [...index.entries(), ...given].sort(byPath);
  const digest = new ManifestDigest();
  for (const entry of entries) digest.add(entry);
  const bytes = entries.reduce((sum, { size }) => sum + size, 0);
  return { root, hash: digest.digest(), count: entries.length, bytes, entries: () => entries };
}

async function existing(folder: string, what: string): Promise<string> {
  const root = await realpath(folder).catch(() => undefined);
  if (root === undefined || !(await stat(root)).isDirectory()) {
    throw new LocalReadError(`The ${what} folder ${folder} is not there (or is not a folder). Check its path.`);
  }
  return root;
}

/** What is written over a workload's own files. */
async function givenFiles({ hashFolder, extraFiles = {}, broughtFiles = {} }: WalkCodeOptions): Promise<LocalFile[]> {
  const brought = await Promise.all(Object.entries(broughtFiles).map(([path, from]) => bring(path, from, hashFolder)));
  const given = Object.entries(extraFiles).map(([path, content]): LocalFile => {
    if (!isSafePath(path)) {
      throw new LocalReadError(
        `The extra file ${JSON.stringify(path)} is not a path below the workload; use a relative path without "..".`,
      );
    }
    return { path, size: Buffer.byteLength(content), sha256: hashText(content), executable: false, content };
  });
  given.push(...brought.flat().filter(({ path }) => extraFiles[path] === undefined));
  return given;
}

/** A file or folder from elsewhere, at its place in the tree. */
async function bring(path: string, from: string, hashFolder: string | undefined): Promise<LocalFile[]> {
  const info = await stat(from).catch((error: unknown) => unreadable(from, error));
  if (info.isDirectory()) {
    const tree = await walkAll(from, { hashFolder });
    return [...tree.entries()].map((file) => ({
      ...file,
      path: `${path}/${file.path}`,
      from: join(tree.root, file.path),
    }));
  }
  const sha256 = await hashFile(from).catch((error: unknown) => unreadable(from, error));
  return [{ path, size: info.size, sha256, executable: (info.mode & 0o100) !== 0, from }];
}

/** Where the content of a file of a tree is. */
export function sourceOf(root: string, { path, from }: Pick<LocalFile, "path" | "from">): string {
  return from ?? join(root, path);
}

function checkLink(path: string, link: string): void {
  if (staysInside(path, link)) return;
  throw new LocalReadError(
    `The symbolic link ${path} leads out of the workload (to ${link}), which the instance doesn't have. ` +
      "Copy the file in, add the link to .gitignore, or make it part of the dataset.",
  );
}
