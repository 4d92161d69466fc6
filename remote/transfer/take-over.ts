import { chmod, link, lstat, mkdir, readdir, readlink, stat, symlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Objects } from "./objects";
import { resultsFile } from "./results-file";
import { copySparse } from "./sparse";

/**
 * Takes into the new folder what people put into the old one: files, links and folders that no download had brought, and
 * what they have changed of those it had. Where something new has the name, theirs gets the date of its last change added.
 * @returns the names of what people had changed, and has another name now.
 */
export async function takeOver(old: string, tree: string, objects: Objects): Promise<string[]> {
  const brought = new Set([resultsFile]);
  const folders = new Set<string>();
  for (const { path, folder } of objects.earlier?.manifest.files ?? []) {
    (folder === true ? folders : brought).add(path);
    for (let cut = path.lastIndexOf("/"); cut > 0; cut = path.lastIndexOf("/", cut - 1)) {
      if (folders.has(path.slice(0, cut))) break;
      folders.add(path.slice(0, cut));
    }
  }
  const renamed: string[] = [];

  const visit = async (from: string, to: string): Promise<void> => {
    for (const item of await readdir(join(old, from), { withFileTypes: true })) {
      const path = from === "" ? item.name : `${from}/${item.name}`;
      if (!item.isDirectory() && brought.has(path) && (path === resultsFile || objects.isInPlace(path))) continue;
      const wanted = to === "" ? item.name : `${to}/${item.name}`;
      try {
        if (item.isDirectory()) {
          await takeFolder(path, wanted);
        } else if (item.isFile() || item.isSymbolicLink()) {
          const target = await free(tree, wanted, join(old, path));
          await mkdir(dirname(join(tree, target)), { recursive: true });
          await (item.isFile()
            ? linkFile(join(old, path), join(tree, target))
            : copyLink(join(old, path), join(tree, target)));
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
    const isTheirs = !folders.has(path);
    if (isTheirs) await mkdir(join(tree, target), { recursive: true });
    await visit(path, target);
    if (isTheirs && there === undefined) await chmod(join(tree, target), (await stat(join(old, path))).mode & 0o7777);
  };

  await visit("", "");
  return renamed;
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
