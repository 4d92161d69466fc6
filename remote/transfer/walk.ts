import type { BigIntStats } from "node:fs";
import { lstat, readdir, readlink, realpath, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Manifest, ManifestEntry } from "../types";
import { type IgnoreRules, ignoreRules, trackedFiles } from "./gitignore";
import { HashCache, hashText } from "./hashes";
import { LocalReadError, unreadable } from "./local-error";
import { byPath, isSafePath, isUnder, normalizePaths, staysInside } from "./manifest";
import { filesAtOnce, inParallel } from "./parallel";
import { checkAmount } from "./surprise";

/** One entry of a manifest and where its content is. */
export interface LocalFile extends ManifestEntry {
  /** Absolute path on this machine; undefined for a symbolic link and for given content. */
  readonly source?: string;
  /** Content that comes from the plan instead of the disk. */
  readonly content?: string;
}

/** A folder as it is to be on the instance. */
export interface LocalTree {
  readonly manifest: Manifest;
  /** The manifest's entries with their sources, in the same order. */
  readonly files: readonly LocalFile[];
  /** Bytes of content. */
  readonly bytes: number;
}

/** What belongs to the code, besides the folder itself. */
export interface WalkCodeOptions {
  /** Files that are written over the folder's own, path → content. */
  readonly extraFiles?: Readonly<Record<string, string>>;
  /** Paths that are not code: dataset and outputs. */
  readonly protectedPaths?: readonly string[];
  /** Folder for remembered checksums, `<local>/hashes`. */
  readonly hashFolder?: string;
  /** More files than this are refused as a surprise. Default 20,000. */
  readonly maxFiles?: number;
  /** More bytes than this are refused as a surprise. Default 2 GiB. */
  readonly maxBytes?: number;
}

interface Found {
  readonly path: string;
  readonly absolute: string;
  readonly stat: BigIntStats;
}

/**
 * The code of a workload: everything that git would take (tracked or not ignored, nested `.gitignore` files included),
 * without `.git` and the protected paths. A symbolic link that leads out of the folder is an error.
 */
export async function walkCode(folder: string, options: WalkCodeOptions = {}): Promise<LocalTree> {
  const root = await existing(folder, "workload");
  const protectedPaths = normalizePaths(options.protectedPaths ?? []);
  const tracked = await trackedFiles(root);
  const trackedFolders = new Set<string>();
  for (const path of tracked ?? []) {
    for (let cut = path.lastIndexOf("/"); cut > 0; cut = path.lastIndexOf("/", cut - 1)) {
      trackedFolders.add(path.slice(0, cut));
    }
  }
  const found: Found[] = [];
  const visit = async (relative: string, rules: IgnoreRules, inIgnored: boolean): Promise<void> => {
    for (const { path, absolute, name, stat: info } of await list(root, relative)) {
      if (name === ".git" || isUnder(path, protectedPaths)) {
        continue;
      }
      const isFolder = info.isDirectory();
      const ignored = inIgnored || rules.ignores(path, isFolder);
      if (isFolder) {
        if (!ignored || trackedFolders.has(path)) {
          await visit(path, await rules.within(path), ignored);
        }
      } else if (!ignored || tracked?.has(path) === true) {
        found.push({ path, absolute, stat: info });
      }
    }
  };
  await visit("", await ignoreRules(root), false);
  checkAmount(root, found, { files: options.maxFiles ?? 20_000, bytes: options.maxBytes ?? 2 * 1024 ** 3 });
  return describe(root, found, options.hashFolder, options.extraFiles);
}

/**
 * Everything below a folder, without ignore rules: a dataset. Symbolic links that stay inside are kept; those that lead
 * out are followed, since datasets are often put together from other disks.
 */
export async function walkAll(folder: string, options: { hashFolder?: string } = {}): Promise<LocalTree> {
  const root = await existing(folder, "dataset");
  const found: Found[] = [];
  const visit = async (relative: string, above: readonly string[]): Promise<void> => {
    for (const { path, absolute, stat: own } of await list(root, relative)) {
      const outward = own.isSymbolicLink() && !staysInside(path, await readlink(absolute));
      const info = outward ? await follow(absolute, path) : own;
      if (!info.isDirectory()) {
        found.push({ path, absolute, stat: info });
        continue;
      }
      const real = await realpath(absolute);
      if (above.includes(real)) {
        throw new LocalReadError(`The link ${absolute} leads back to a folder that holds it (${real}); remove it.`);
      }
      await visit(path, [...above, real]);
    }
  };
  await visit("", [root]);
  return describe(root, found, options.hashFolder);
}

async function existing(folder: string, what: string): Promise<string> {
  const root = await realpath(folder).catch(() => undefined);
  if (root === undefined || !(await stat(root)).isDirectory()) {
    throw new LocalReadError(`The ${what} folder ${folder} is not there (or is not a folder). Check its path.`);
  }
  return root;
}

async function list(root: string, relative: string): Promise<(Found & { name: string })[]> {
  const names = await readdir(join(root, relative)).catch((error: unknown) => unreadable(join(root, relative), error));
  const entries = names.map(async (name) => {
    const path = relative === "" ? name : `${relative}/${name}`;
    if (!isSafePath(path) || path.includes("\uFFFD")) {
      throw new LocalReadError(
        `The file name ${JSON.stringify(path)} in ${root} is not valid UTF-8 (or too long); rename it.`,
      );
    }
    const absolute = join(root, path);
    return { path, absolute, name, stat: await lstat(absolute, { bigint: true }) };
  });
  return (await Promise.all(entries)).filter(
    ({ stat: info }) => info.isFile() || info.isDirectory() || info.isSymbolicLink(),
  );
}

async function follow(absolute: string, path: string): Promise<BigIntStats> {
  const info = await stat(absolute, { bigint: true }).catch(() => undefined);
  if (info === undefined) {
    throw new LocalReadError(`The symbolic link ${path} (${absolute}) leads nowhere; remove or repair it.`);
  }
  return info;
}

async function describe(
  root: string,
  found: readonly Found[],
  hashFolder: string | undefined,
  extraFiles: Readonly<Record<string, string>> = {},
): Promise<LocalTree> {
  const cache = await HashCache.open(hashFolder, root);
  const given: LocalFile[] = Object.entries(extraFiles).map(([path, content]) => {
    if (!isSafePath(path)) {
      throw new LocalReadError(
        `The extra file ${JSON.stringify(path)} is not a path below the workload; use a relative path without "..".`,
      );
    }
    return { path, size: Buffer.byteLength(content), sha256: hashText(content), executable: false, content };
  });
  const onDisk = found.filter(({ path }) => extraFiles[path] === undefined);
  // As arguments of a call there can be some hundred thousand at most.
  const files = given.concat(await inParallel(onDisk, filesAtOnce, (item) => describeOne(item, cache)));
  await cache.save();
  files.sort(byPath);
  const entries = files.map(({ source: _source, content: _content, ...entry }) => entry);
  return { manifest: { files: entries }, files, bytes: files.reduce((sum, file) => sum + file.size, 0) };
}

async function describeOne({ path, absolute, stat: info }: Found, cache: HashCache): Promise<LocalFile> {
  if (info.isSymbolicLink()) {
    const link = await readlink(absolute);
    if (!staysInside(path, link)) {
      const message = `The symbolic link ${path} leads out of the workload (to ${link}), where the instance has nothing.`;
      throw new LocalReadError(
        `${message} Copy the file in, add the link to .gitignore, or make it part of the dataset.`,
      );
    }
    return { path, size: Buffer.byteLength(link), sha256: hashText(link), executable: false, link };
  }
  try {
    const sha256 = await cache.sha256(absolute, path, info);
    return { path, size: Number(info.size), sha256, executable: (info.mode & 0o100n) !== 0n, source: absolute };
  } catch (error) {
    return unreadable(absolute, error);
  }
}
