import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { basename, join } from "node:path";
import { orLocalError } from "../git/command";
import { refusePointers } from "../git/lfs";
import { type Listing, withListing } from "../git/listing";
import { emptyFolder, entryIfThere, type Found } from "./entries";
import { unreadable } from "./local-error";
import { isUnder } from "./manifest";
import { filesAtOnce, inParallel } from "./parallel";
import type { Reading } from "./progress";

/** What git takes of a folder. */
export interface Taken {
  /** Files, links and empty folders. */
  readonly found: Found[];
  /** Places of the repositories; the empty one is the folder itself. */
  readonly repositories: readonly string[];
}

/**
 * What git takes below a root, of submodules and other clones inside by their own rules.
 * @param leftOut Paths that are not code, relative to the root.
 * @throws LocalReadError where git can't tell, or where pointers lie in place of files
 */
export async function takenByGit(root: string, leftOut: readonly string[], tell: Reading): Promise<Taken> {
  const found: Found[] = [];
  const places: string[] = [];
  const collect = async (under: string, listing: Listing): Promise<void> => {
    const full = (path: string): string => (under === "" ? path : `${under}/${path}`);
    const isCode = (path: string): boolean => basename(path) !== ".git" && !isUnder(full(path), leftOut);
    if (listing.isInRepository) places.push(under);
    refusePointers("workload", join(root, under), listing.pointers().filter(isCode));
    const there = listing.paths.filter(isCode).flatMap((path) => {
      tell.found();
      return entryIfThere(root, full(path)) ?? [];
    });
    const links = there.flatMap(({ path, link }) => (link === undefined ? [] : [path]));
    // The index may name files below a folder that a link has replaced.
    const own = links.length === 0 ? there : there.filter(({ path }) => !isBelow(path, new Set(links)));
    for (const entry of own) if (entry.isFolder !== true) found.push(entry);
    const repositories = own
      .filter(({ isFolder }) => isFolder)
      .map(({ path }) => path)
      .sort();
    await addEmptyFolders(own, { under, isCode, listing });
    for (const path of repositories) {
      // A submodule that was never checked out has no `.git`, and is no repository.
      const known = existsSync(join(root, path, ".git")) ? undefined : false;
      await within(join(root, path), (inner) => collect(path, inner), known);
    }
  };

  /** Folders without anything in them are code unless they are ignored; git lists none. */
  const addEmptyFolders = async (
    own: readonly Found[],
    { under, isCode, listing }: { under: string; isCode: (path: string) => boolean; listing: Listing },
  ): Promise<void> => {
    const inside = (path: string): string => (under === "" ? path : path.slice(under.length + 1));
    const holding = foldersAbove(own.map(({ path }) => inside(path)));
    const others = new Set(own.flatMap(({ path, isFolder }) => (isFolder ? [inside(path)] : [])));
    for (let level = [""]; level.length > 0; ) {
      const below = await inParallel(level, filesAtOnce, async (folder) => {
        const at = join(root, under, folder);
        const items = await readdir(at, { withFileTypes: true }).catch((error: unknown) => unreadable(at, error));
        const path = under === "" ? folder : join(under, folder);
        // The root itself is made anyway.
        if (items.length === 0 && path !== "") found.push(emptyFolder(path));
        return items
          .filter((item) => item.isDirectory())
          .map(({ name }) => (folder === "" ? name : `${folder}/${name}`));
      });
      const folders = below.flat().filter((path) => isCode(path) && !others.has(path));
      const ignored = orLocalError(root, () => listing.ignored(folders.filter((path) => !holding.has(path))));
      level = folders.filter((path) => !ignored.has(path));
    }
  };

  await within(root, (listing) => collect("", listing));
  return { found, repositories: places };
}

async function within(
  folder: string,
  read: (listing: Listing) => Promise<void>,
  isInRepository?: boolean,
): Promise<void> {
  await withListing(folder, read, isInRepository).catch((error: unknown) =>
    orLocalError(folder, () => {
      throw error;
    }),
  );
}

function foldersAbove(paths: readonly string[]): ReadonlySet<string> {
  const folders = new Set<string>();
  for (const path of paths) {
    for (let cut = path.lastIndexOf("/"); cut > 0 && !folders.has(path.slice(0, cut)); ) {
      folders.add(path.slice(0, cut));
      cut = path.lastIndexOf("/", cut - 1);
    }
  }
  return folders;
}

function isBelow(path: string, folders: ReadonlySet<string>): boolean {
  for (let cut = path.lastIndexOf("/"); cut > 0; cut = path.lastIndexOf("/", cut - 1)) {
    if (folders.has(path.slice(0, cut))) return true;
  }
  return false;
}
