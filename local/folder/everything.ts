import { type Dirent, opendirSync, realpathSync } from "node:fs";
import { dirname, join } from "node:path";
import { emptyFolder, entryIfThere, type Found, follow } from "./entries";
import { LocalReadError, unreadable } from "./local-error";
import { staysInside } from "./manifest";

/** A folder that is to be read, and how one came to it. */
interface Folder {
  readonly path: string;
  /** Real paths of the folders that led to it, and its own. */
  readonly reals: readonly string[];
  /** It is not where it lies on the disk: a link leads to it that is followed. */
  readonly moved: boolean;
}

/** What lies in a folder. There may be a million files: only their names are kept, and each is looked at in its turn. */
interface Content {
  readonly folder: Folder;
  /** Names, the next one last. That of a folder with something in it ends with `/`, by which it is sorted. */
  readonly names: string[];
  /** Those that are no files, by their names. */
  readonly others: ReadonlyMap<string, Found | Folder>;
}

/**
 * Everything below a folder, by path, without ignore rules. Symbolic links that stay inside are kept; those that lead out
 * are followed. Below a folder that is itself such a link, a link is kept only if it leads to the same file from its place
 * in the tree.
 */
export function* everythingIn(root: string): Generator<Found> {
  // The content of each folder on the way.
  const levels = [contentOf(root, { path: "", reals: [root], moved: false })];
  for (let level = levels.at(-1); level !== undefined; level = levels.at(-1)) {
    const name = level.names.pop();
    if (name === undefined) {
      levels.pop();
      continue;
    }
    const other = level.others.get(name);
    if (other !== undefined && "reals" in other) {
      levels.push(contentOf(root, other));
    } else {
      const found = other ?? entryIfThere(root, below(level.folder.path, name));
      if (found !== undefined) yield found;
    }
  }
}

function below(folder: string, name: string): string {
  return folder === "" ? name : `${folder}/${name}`;
}

/** The files, folders and links in a folder. @throws LocalReadError where it can't be read */
export function* entriesOf(absolute: string): Generator<Dirent> {
  try {
    const handle = opendirSync(absolute, { bufferSize: 1024 });
    try {
      for (let each = handle.readSync(); each !== null; each = handle.readSync()) {
        if (each.isFile() || each.isDirectory() || each.isSymbolicLink()) yield each;
      }
    } finally {
      handle.closeSync();
    }
  } catch (error) {
    unreadable(absolute, error);
  }
}

function contentOf(root: string, folder: Folder): Content {
  const names: string[] = [];
  const others = new Map<string, Found | Folder>();
  for (const entry of entriesOf(join(root, folder.path))) {
    const other = entry.isFile() ? undefined : otherAt(root, folder, below(folder.path, entry.name));
    const name = other !== undefined && "reals" in other ? `${entry.name}/` : entry.name;
    names.push(name);
    if (other !== undefined) others.set(name, other);
  }
  return { folder, names: names.sort().reverse(), others };
}

/** What is no file; undefined for what has become one, or is gone. */
function otherAt(root: string, { reals, moved }: Folder, path: string): Found | Folder | undefined {
  const own = entryIfThere(root, path);
  if (own === undefined) return undefined;
  const { link } = own;
  const isKept = link === undefined || (staysInside(path, link) && (!moved || leadsThere(root, path, link)));
  const found = isKept ? own : follow(root, path);
  if (found.isFolder !== true) return found;
  const absolute = join(root, path);
  const real = realpathSync.native(absolute);
  if (reals.includes(real)) {
    throw new LocalReadError(`The link ${absolute} leads back to a folder that holds it (${real}); remove it.`);
  }
  for (const _ of entriesOf(absolute)) return { path, reals: [...reals, real], moved: moved || !isKept };
  return emptyFolder(path);
}

/** Whether a relative link leads to the same file from its place in a tree as it does where it really lies. */
function leadsThere(root: string, path: string, link: string): boolean {
  const real = (at: string): string | undefined => {
    try {
      return realpathSync.native(at);
    } catch {
      return undefined;
    }
  };
  return real(join(root, path)) === real(join(root, dirname(path), link));
}
