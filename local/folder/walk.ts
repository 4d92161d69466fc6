import { realpath, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { refusePointers } from "../git/lfs";
import { addEmptyFolder, type Found, follow, list } from "./entries";
import { hashAll } from "./folder-hashes";
import { hashFile, hashText } from "./hashes";
import { LocalReadError, unreadable } from "./local-error";
import type { Manifest, ManifestEntry } from "./manifest";
import { byPath, emptySha256, isSafePath, isUnder, normalizePaths, staysInside } from "./manifest";
import { type Reading, reading } from "./progress";
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
  /** The files as a manifest. */
  readonly manifest: Manifest;
  readonly files: readonly LocalFile[];
  /** Bytes of content. */
  readonly bytes: number;
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
export async function walkCode(folder: string, options: WalkCodeOptions = {}): Promise<LocalTree> {
  const root = await existing(folder, "workload");
  const tell = reading(options.onReading);
  const found = await takenByGit(root, normalizePaths(options.protectedPaths ?? []), tell);
  checkAmount(root, found, { files: options.maxFiles ?? 20_000, bytes: options.maxBytes ?? 2 * 1024 ** 3 });
  return describe(root, found, options, tell);
}

/**
 * Everything below a folder, without ignore rules: a dataset. Symbolic links that stay inside are kept; those that lead
 * out are followed, since datasets are often put together from other disks. Below a folder that is itself such a link, a
 * link is kept only if it leads to the same file from its place in the dataset.
 */
export async function walkAll(
  folder: string,
  options: Pick<WalkCodeOptions, "hashFolder" | "onReading"> = {},
): Promise<LocalTree> {
  const root = await existing(folder, "dataset");
  const found: Found[] = [];
  const tell = reading(options.onReading);
  const visit = async (relative: string, above: readonly string[], moved: boolean): Promise<void> => {
    const items = await list(root, relative, tell);
    if (items.length === 0) {
      addEmptyFolder(found, relative);
    }
    for (const own of items) {
      const { path, link } = own;
      const kept = link === undefined || (staysInside(path, link) && (!moved || (await leadsThere(root, path, link))));
      const item = kept ? own : await follow(root, path);
      if (item.isFolder !== true) {
        found.push(item);
        continue;
      }
      const absolute = join(root, path);
      const real = await realpath(absolute);
      if (above.includes(real)) {
        throw new LocalReadError(`The link ${absolute} leads back to a folder that holds it (${real}); remove it.`);
      }
      await visit(path, [...above, real], moved || !kept);
    }
  };
  await visit("", [root], false);
  return describe(root, found, options, tell, (pointers) => refusePointers("dataset", root, pointers));
}

/** Whether a relative link leads to the same file from its place in a tree as it does where it really lies. */
async function leadsThere(root: string, path: string, link: string): Promise<boolean> {
  const [really, here] = await Promise.all(
    [join(root, path), join(root, dirname(path), link)].map((each) => realpath(each).catch(() => undefined)),
  );
  return really === here;
}

async function existing(folder: string, what: string): Promise<string> {
  const root = await realpath(folder).catch(() => undefined);
  if (root === undefined || !(await stat(root)).isDirectory()) {
    throw new LocalReadError(`The ${what} folder ${folder} is not there (or is not a folder). Check its path.`);
  }
  return root;
}

async function describe(
  root: string,
  found: readonly Found[],
  options: Pick<WalkCodeOptions, "hashFolder" | "extraFiles" | "broughtFiles">,
  tell: Reading,
  refuse?: (pointers: readonly string[]) => void,
): Promise<LocalTree> {
  const { hashFolder, extraFiles = {}, broughtFiles = {} } = options;
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
  const holdsGiven = (folder: string): boolean => given.some(({ path }) => isUnder(path, [folder]));
  const isReplaced = new Set(given.map(({ path }) => path));
  const onDisk = found.filter(({ path, folder }) => !isReplaced.has(path) && (folder !== true || !holdsGiven(path)));
  onDisk.sort(byPath);
  for (const item of onDisk) {
    if (item.link !== undefined) {
      checkLink(item.path, item.link);
      item.sha256 = hashText(item.link);
    } else if (item.folder === true) {
      item.sha256 = emptySha256;
    }
  }
  await hashAll(root, onDisk, hashFolder, tell, refuse);
  // Not by the arguments of a call: there can be some hundred thousand at most.
  const files = (onDisk as readonly LocalFile[]).concat(given);
  if (given.length > 0) files.sort(byPath);
  return { root, manifest: { files }, files, bytes: files.reduce((sum, file) => sum + file.size, 0) };
}

/** A file or folder from elsewhere, at its place in the tree. */
async function bring(path: string, from: string, hashFolder: string | undefined): Promise<LocalFile[]> {
  const info = await stat(from).catch((error: unknown) => unreadable(from, error));
  if (info.isDirectory()) {
    const { root, files } = await walkAll(from, { hashFolder });
    return files.map((file) => ({ ...file, path: `${path}/${file.path}`, from: join(root, file.path) }));
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
