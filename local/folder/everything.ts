import { type Dirent, readdirSync, realpathSync } from "node:fs";
import { dirname, join } from "node:path";
import { emptyFolder, entryIfThere, type Found, follow } from "./entries";
import { LocalReadError, unreadable } from "./local-error";
import { staysInside } from "./manifest";

/** A folder that is to be read, and how one came to it. */
interface Folder {
  readonly path: string;
  readonly names: readonly Dirent[];
  /** Real paths of the folders that led to it, and its own. */
  readonly reals: readonly string[];
  /** It is not where it lies on the disk: a link leads to it that is followed. */
  readonly moved: boolean;
}

interface Item {
  /** What it is sorted by: the entries of a folder have a `/` after its name. */
  readonly key: string;
  readonly path: string;
  /** What is known of it. A file is looked at when it is its turn. */
  readonly found?: Found;
  /** Of a folder that is not empty. */
  readonly inside?: Folder;
}

/**
 * Everything below a folder, by path, without ignore rules. Symbolic links that stay inside are kept; those that lead out
 * are followed. Below a folder that is itself such a link, a link is kept only if it leads to the same file from its place
 * in the tree.
 */
export function* everythingIn(root: string): Generator<Found> {
  // Items of each folder on the way, the next one last.
  const levels = [itemsOf(root, { path: "", names: namesIn(root, ""), reals: [root], moved: false })];
  for (let level = levels.at(-1); level !== undefined; level = levels.at(-1)) {
    const item = level.pop();
    if (item === undefined) {
      levels.pop();
    } else if (item.inside !== undefined) {
      levels.push(itemsOf(root, item.inside));
    } else {
      const found = item.found ?? entryIfThere(root, item.path);
      if (found !== undefined) yield found;
    }
  }
}

function namesIn(root: string, relative: string): Dirent[] {
  const folder = join(root, relative);
  try {
    const all = readdirSync(folder, { withFileTypes: true });
    return all.filter((each) => each.isFile() || each.isDirectory() || each.isSymbolicLink());
  } catch (error) {
    return unreadable(folder, error);
  }
}

function itemsOf(root: string, folder: Folder): Item[] {
  const items = folder.names.map((name) => itemAt(root, folder, name));
  return items.sort((a, b) => (a.key < b.key ? 1 : a.key > b.key ? -1 : 0));
}

function itemAt(root: string, { path: above, reals, moved }: Folder, name: Dirent): Item {
  const path = above === "" ? name.name : `${above}/${name.name}`;
  const own = name.isFile() ? undefined : entryIfThere(root, path);
  if (own === undefined) return { key: path, path };
  const { link } = own;
  const isKept = link === undefined || (staysInside(path, link) && (!moved || leadsThere(root, path, link)));
  const found = isKept ? own : follow(root, path);
  if (found.isFolder !== true) return { key: path, path, found };
  const absolute = join(root, path);
  const real = realpathSync.native(absolute);
  if (reals.includes(real)) {
    throw new LocalReadError(`The link ${absolute} leads back to a folder that holds it (${real}); remove it.`);
  }
  const names = namesIn(root, path);
  if (names.length === 0) return { key: path, path, found: emptyFolder(path) };
  return { key: `${path}/`, path, inside: { path, names, reals: [...reals, real], moved: moved || !isKept } };
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
