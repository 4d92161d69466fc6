import { createHash, randomUUID } from "node:crypto";
import { type BigIntStats, createReadStream } from "node:fs";
import { mkdir, open, readFile, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { isPointer } from "../git/lfs";
import { hashFile } from "./hashes";
import { unreadable } from "./local-error";
import { filesAtOnce, inParallel } from "./parallel";
import type { Reading } from "./progress";

/** An entry whose checksum is looked for. */
export interface Hashed {
  path: string;
  size: number;
  executable: boolean;
  link?: string;
  folder?: true;
  /** Of a file: what changes with its content, until the content is known. */
  stamp?: string;
  sha256?: string;
}

/** Size, modification time and inode of a file as one text. */
export function stampOf({ size, mtimeNs, ino }: BigIntStats): string {
  return `${size}:${mtimeNs}:${ino}`;
}

/** A file younger than this when it is hashed may change again within the same time stamp: it is not remembered. */
const settledNs = 2_000_000_000n;

function isSettled(stamp: string): boolean {
  return BigInt(Date.now()) * 1_000_000n - BigInt(stamp.split(":")[1] ?? 0) > settledNs;
}

/**
 * Fills in the checksums of a folder's files, which are sorted by path. They are remembered between runs, so that a run
 * in which nothing changed reads no content. Without a folder to keep them in, everything is read.
 * @param hashFolder Where checksums are kept (`<local>/hashes`).
 * @param refuse Gets the paths of files that are Git LFS pointers, among those that are read.
 */
export async function hashAll(
  root: string,
  files: readonly Hashed[],
  hashFolder: string | undefined,
  tell: Reading,
  refuse?: (pointers: readonly string[]) => void,
): Promise<void> {
  const name = createHash("sha256").update(root).digest("hex").slice(0, 32);
  const cache = hashFolder === undefined ? undefined : join(hashFolder, name);
  const remembered = cache === undefined ? 0 : await recall(cache, files);
  const unread = files.filter(({ sha256 }) => sha256 === undefined);
  tell.begin(unread.length);
  const pointers: string[] = [];
  await inParallel(unread, filesAtOnce, async (file) => {
    const path = join(root, file.path);
    file.sha256 = await hashFile(path, tell.hashed).catch((error: unknown) => unreadable(path, error));
    if (refuse !== undefined && isPointer(path, file.size)) pointers.push(file.path);
    if (file.stamp !== undefined && !isSettled(file.stamp)) {
      file.stamp = undefined;
    }
    tell.done();
  });
  // Before anything is remembered, or the next look would pass over them.
  if (pointers.length > 0) refuse?.(pointers);
  if (cache !== undefined) {
    const settled = files.filter(({ stamp }) => stamp !== undefined);
    const isNew = settled.length !== remembered || unread.some(({ stamp }) => stamp !== undefined);
    if (isNew) await remember(cache, settled);
  }
  for (const file of files) {
    file.stamp = undefined;
  }
}

type Line = readonly [path: string, stamp: string, sha256: string];

/** Fills in what is remembered. Gives how many lines there are; NaN where they are to be written anew. */
async function recall(cache: string, files: readonly Hashed[]): Promise<number> {
  let lines = 0;
  let next = 0;
  const compare = ([path, stamp, sha256]: Line): void => {
    lines += 1;
    while ((files[next]?.path ?? path) < path) next += 1;
    const file = files[next];
    if (file?.path === path && file.stamp === stamp) file.sha256 = sha256;
  };
  try {
    let rest = "";
    for await (const piece of createReadStream(`${cache}.jsonl`, "utf8")) {
      const whole = `${rest}${piece}`.split("\n");
      rest = whole.pop() ?? "";
      for (const line of whole) compare(JSON.parse(line) as Line);
    }
    return lines;
  } catch (error) {
    // Missing or damaged: the cost is one reading of everything.
    if ((error as NodeJS.ErrnoException).code === "ENOENT") for (const line of await earlier(cache)) compare(line);
    return Number.NaN;
  }
}

/** What earlier releases remembered, as one object: `size:mtime:inode:path` → checksum. */
async function earlier(cache: string): Promise<Line[]> {
  try {
    const stored = JSON.parse(await readFile(`${cache}.json`, "utf8")) as Record<string, string>;
    const lines = Object.entries(stored).map(([key, sha256]): Line => {
      const [, stamp = "", path = ""] = /^(\d+:-?\d+:\d+):(.*)$/s.exec(key) ?? [];
      return [path, stamp, sha256];
    });
    return lines.sort(([a], [b]) => (a < b ? -1 : 1));
  } catch {
    return [];
  }
}

/** Keeps the checksums of these files, and only those. */
async function remember(cache: string, files: readonly Hashed[]): Promise<void> {
  await mkdir(dirname(cache), { recursive: true });
  const temporary = `${cache}.${randomUUID()}`;
  try {
    const handle = await open(temporary, "w");
    try {
      for (let first = 0; first < files.length; first += 1000) {
        const some = files.slice(first, first + 1000);
        await handle.write(
          some.map(({ path, stamp, sha256 }) => `${JSON.stringify([path, stamp, sha256])}\n`).join(""),
        );
      }
    } finally {
      await handle.close();
    }
    await rename(temporary, `${cache}.jsonl`);
    await rm(`${cache}.json`, { force: true });
  } finally {
    await rm(temporary, { force: true });
  }
}
