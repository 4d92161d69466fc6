import { chmod, link, lstat, mkdir, readlink, stat, symlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Cursor } from "../../local/folder/cursor";
import { entriesOf } from "../../local/folder/everything";
import type { ManifestEntry } from "../../local/folder/manifest";
import type { Objects } from "./objects";
import { resultsFile } from "./results-file";
import { copySparse } from "./sparse";

/**
 * Takes into the new folder what people put into the old one: files, links and folders that no download had brought, and
 * what they have changed of those it had. Where something new has the name, theirs gets the date of its last change added.
 * @returns the names of what people had changed, and has another name now.
 */
export async function takeOver(old: string, tree: string, objects: Objects): Promise<string[]> {
  const brought = new Brought(objects);
  const renamed: string[] = [];

  const visit = async (from: string, to: string): Promise<void> => {
    for (const item of namesIn(join(old, from))) {
      const isFolder = item.endsWith("/");
      const name = isFolder ? item.slice(0, -1) : item;
      const path = from === "" ? name : `${from}/${name}`;
      if (!isFolder && brought.leaves(path)) continue;
      const wanted = to === "" ? name : `${to}/${name}`;
      try {
        if (isFolder) {
          await takeFolder(path, wanted);
        } else {
          const target = await free(tree, wanted, join(old, path));
          await mkdir(dirname(join(tree, target)), { recursive: true });
          const isLink = (await lstat(join(old, path))).isSymbolicLink();
          await (isLink ? copyLink : linkFile)(join(old, path), join(tree, target));
          if (target !== wanted) renamed.push(target);
        }
      } catch (error) {
        throw new Error(
          `${join(old, path)} isn't part of the results and can't be kept (${(error as Error).message}). Move it to another folder and run the command again.`,
          { cause: error },
        );
      }
    }
  };

  const takeFolder = async (path: string, wanted: string): Promise<void> => {
    const there = await lstat(join(tree, wanted)).catch(() => undefined);
    const target = there === undefined || there.isDirectory() ? wanted : await free(tree, wanted, join(old, path));
    const isTheirs = !brought.hasFolder(path);
    if (isTheirs) await mkdir(join(tree, target), { recursive: true });
    await visit(path, target);
    if (isTheirs && there === undefined) await chmod(join(tree, target), (await stat(join(old, path))).mode & 0o7777);
  };

  try {
    await visit("", "");
  } finally {
    brought.close();
  }
  return renamed;
}

/** What the last download had brought, asked for in the order of the paths. */
class Brought {
  private readonly entries: Cursor<ManifestEntry & { readonly isInPlace: boolean }>;
  /** Empty folders that it had brought, of those with whose names the paths begin. */
  private folders: string[] = [];

  constructor(objects: Objects) {
    this.entries = new Cursor(objects.earlierEntries());
  }

  /** Whether a file or link is as it came. */
  leaves(path: string): boolean {
    const entry = this.find(path);
    return path === resultsFile || (entry?.isInPlace === true && entry.folder !== true);
  }

  /** Whether a folder came, or something in it. */
  hasFolder(path: string): boolean {
    this.find(`${path}/`);
    return this.folders.includes(path) || this.entries.ahead?.path.startsWith(`${path}/`) === true;
  }

  close(): void {
    this.entries.close();
  }

  private find(path: string): (ManifestEntry & { readonly isInPlace: boolean }) | undefined {
    const found = this.entries.find(path, (passed) => {
      if (passed.folder === true) this.folders.push(passed.path);
    });
    this.folders = this.folders.filter((folder) => path.startsWith(folder));
    return found;
  }
}

/** Names in a folder, in the order of paths; that of a folder ends with `/`. */
function namesIn(folder: string): string[] {
  const names: string[] = [];
  for (const item of entriesOf(folder)) names.push(item.isDirectory() ? `${item.name}/` : item.name);
  return names.sort();
}

/** A name that nothing has: the one wanted, or with the time at which `source` was last changed. */
async function free(tree: string, wanted: string, source: string): Promise<string> {
  const dated = `${wanted}.${stampOf((await lstat(source)).mtime.toISOString())}`;
  for (let number = 0; ; number++) {
    const candidate = number === 0 ? wanted : number === 1 ? dated : `${dated}-${number}`;
    if ((await lstat(join(tree, candidate)).catch(() => undefined)) === undefined) return candidate;
  }
}

/** A time as names have it: `20261128T081722123Z`. */
export function stampOf(iso: string): string {
  return iso.replaceAll(/[^0-9TZ]/g, "");
}

async function linkFile(from: string, to: string): Promise<void> {
  await link(from, to).catch(async () => {
    await copySparse(from, to);
    await chmod(to, (await stat(from)).mode & 0o7777);
  });
}

async function copyLink(from: string, to: string): Promise<void> {
  await symlink(await readlink(from), to);
}
