import { randomUUID } from "node:crypto";
import { closeSync, existsSync, fstatSync, openSync, readSync } from "node:fs";
import { mkdir, open, rename, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isPointer } from "../git/lfs";
import { Breaks } from "./breaks";
import type { Found } from "./entries";
import { hashFile, hashSmall, hashText, smallBytes, TextDigest } from "./hashes";
import { linesOf } from "./lines";
import { unreadable } from "./local-error";
import { emptySha256, ManifestDigest, type ManifestEntry } from "./manifest";
import type { Reading } from "./progress";

/** What a folder held when it was read. The entries lie on the disk, since there may be a million. */
export interface FolderIndex {
  /** As `manifestHash` gives it. */
  readonly hash: string;
  readonly count: number;
  /** Bytes of content. */
  readonly bytes: number;
  /** The entries, by path. Each call begins anew. */
  entries(): Generator<ManifestEntry>;
}

/** How a folder is read. */
export interface IndexOptions {
  /** What of the folder is looked at: each has an index of its own. */
  readonly kind: "code" | "all" | "results";
  /** Where indexes are kept (`<local>/hashes`); without one everything is read. */
  readonly hashFolder: string | undefined;
  /** The folder is not looked at where the index that is kept has this hash. */
  readonly hash?: string;
  readonly tell: Reading;
  /** Gets the paths of files that are Git LFS pointers, among those that are read. */
  readonly refuse?: (pointers: readonly string[]) => void;
}

/**
 * Reads a folder. Content that an earlier call has read is not read again as long as a file's size, times and inode are the
 * same; where that is so of all files, nothing is written either.
 * @param look Gives what lies in the folder, sorted by path. Called twice where something has changed.
 */
export async function indexOf(root: string, look: () => Iterable<Found>, options: IndexOptions): Promise<FolderIndex> {
  const { kind, hashFolder, tell } = options;
  const folder = hashFolder ?? tmpdir();
  const name = hashText(root).slice(0, 32);
  const path = join(folder, `${name}.${kind}`);
  const before = hashFolder === undefined ? undefined : StoredIndex.open(path);
  if (before !== undefined && before.hash === options.hash) return before;
  const { print, count } = await fingerprint(look(), tell);
  if (before !== undefined && (await before.holds(root, print))) return before;
  tell.begin(count);
  await mkdir(folder, { recursive: true });
  const temporary = `${path}.${randomUUID()}`;
  try {
    await write(temporary, root, look(), before, options);
    const index = StoredIndex.open(temporary);
    if (index === undefined) throw new Error(`${temporary} was written and can't be read.`);
    if (hashFolder !== undefined) {
      await rename(temporary, path);
      // Where releases up to 0.1.0 kept the same, without the time by which a change shows that hides its own.
      for (const old of ["json", "jsonl"]) await rm(join(folder, `${name}.${old}`), { force: true });
    }
    return index;
  } finally {
    await rm(temporary, { force: true });
  }
}

/** The last line of an index. */
interface Facts {
  /** Over what was seen without reading any content; null where some of it may change without a sign. */
  readonly print: string | null;
  /** The same print, and all files that may have changed without a sign since then, with their checksums. */
  readonly unsettled?: { readonly print: string; readonly files: Readonly<Record<string, string>> };
  readonly hash: string;
  readonly count: number;
  readonly bytes: number;
}

const kinds = ["file", "executable", "link", "folder"] as const;

/** A line: what the entry is, path, size, checksum, and the stamp of a file or the target of a link. */
type Line = readonly [kind: number, path: string, size: number, sha256: string, more: string | null];

/** Text that waits to be written. It is small: what lives longer makes the heap grow. */
const linesBytes = 1 << 16;
/** The last line is shorter. */
const factsBytes = 1024;
/** Of as much content it is seen by reading it that it has not changed. */
const rereadBytes = 16e6;

/** An index on the disk. The file stays open: another process may put a newer one in its place. */
class StoredIndex implements FolderIndex {
  private constructor(
    private readonly file: number,
    /** Bytes of the lines of entries. */
    private readonly end: number,
    readonly facts: Facts,
  ) {
    closing.register(this, file);
  }

  /** Undefined where there is none, or a damaged one: the cost is one reading of everything. */
  static open(path: string): StoredIndex | undefined {
    if (!existsSync(path)) return undefined;
    const file = openSync(path, "r");
    try {
      const { size } = fstatSync(file);
      const last = Buffer.alloc(Math.min(size, factsBytes));
      readSync(file, last, 0, last.length, size - last.length);
      const at = last.lastIndexOf("\n{") + 1;
      const facts = JSON.parse(last.toString("utf8", at)) as Facts;
      return new StoredIndex(file, size - last.length + at, facts);
    } catch {
      closeSync(file);
      return undefined;
    }
  }

  /** Whether it tells of a folder of which this was seen. */
  async holds(root: string, print: string): Promise<boolean> {
    const { print: settled, unsettled } = this.facts;
    if (settled === print) return true;
    if (unsettled?.print !== print) return false;
    for (const [path, sha256] of Object.entries(unsettled.files)) {
      if ((await hashFile(join(root, path)).catch(() => undefined)) !== sha256) return false;
    }
    return true;
  }

  get hash(): string {
    return this.facts.hash;
  }
  get count(): number {
    return this.facts.count;
  }
  get bytes(): number {
    return this.facts.bytes;
  }

  *entries(): Generator<ManifestEntry> {
    for (const [kind, path, size, sha256, more] of this.lines()) {
      const entry = { path, size, sha256, executable: kinds[kind] === "executable" };
      if (kinds[kind] === "link") yield { ...entry, link: more ?? "" };
      else if (kinds[kind] === "folder") yield { ...entry, folder: true };
      else yield entry;
    }
  }

  *lines(): Generator<Line> {
    for (const line of linesOf(this.file, 0, this.end)) yield JSON.parse(line) as Line;
  }
}

const closing = new FinalizationRegistry<number>((file) => closeSync(file));

/** What is seen of an entry without its content, as a text. */
function seenAs({ path, stamp, link, folder, executable }: Found): string {
  return `${path}\0${stamp ?? ""}\0${link ?? ""}\0${folder === true ? "/" : executable ? "x" : ""}\0`;
}

async function fingerprint(seen: Iterable<Found>, tell: Reading): Promise<{ print: string; count: number }> {
  const print = new TextDigest();
  const breaks = new Breaks();
  let count = 0;
  for (const item of seen) {
    count += 1;
    tell.found();
    print.add(seenAs(item));
    await breaks.take();
  }
  return { print: print.digest(), count };
}

/** A file that changed less than this before it was looked at may change again within the same time stamp. */
const settledMs = 2000;

async function write(
  to: string,
  root: string,
  seen: Iterable<Found>,
  before: StoredIndex | undefined,
  { tell, refuse }: IndexOptions,
): Promise<void> {
  const known = new Known(before);
  const digest = new ManifestDigest();
  const print = new TextDigest();
  const breaks = new Breaks();
  const pointers: string[] = [];
  const unsettled = new Unsettled();
  let [count, bytes] = [0, 0];
  const handle = await open(to, "wx", 0o600);
  try {
    let lines = "";
    for (const item of seen) {
      const { path, size, executable, link, folder } = item;
      print.add(seenAs(item));
      let sha256 = known.checksum(item);
      let stamp: string | null = item.stamp ?? null;
      if (sha256 === undefined) {
        sha256 = await read(root, item, tell);
        if (refuse !== undefined && item.stamp !== undefined && isPointer(join(root, path), size)) pointers.push(path);
        if (item.changedAt !== undefined && Date.now() - item.changedAt < settledMs) {
          stamp = null;
          unsettled.add(path, size, sha256);
        }
      }
      const entry: ManifestEntry = { path, size, sha256, executable, ...(link === undefined ? {} : { link }), folder };
      digest.add(entry);
      count += 1;
      bytes += size;
      const kind = link !== undefined ? 2 : folder === true ? 3 : executable ? 1 : 0;
      lines += `${JSON.stringify([kind, path, size, sha256, link ?? stamp] satisfies Line)}\n`;
      if (lines.length > linesBytes) {
        await handle.write(lines);
        lines = "";
      }
      tell.done();
      await breaks.take();
    }
    // Before anything is kept, or the next look would pass over them.
    if (pointers.length > 0) refuse?.(pointers);
    const facts: Facts = { ...unsettled.facts(print.digest()), hash: digest.digest(), count, bytes };
    await handle.write(`${lines}\n${JSON.stringify(facts)}`);
  } finally {
    await handle.close();
  }
}

/** Files that may change again without a sign. */
class Unsettled {
  private readonly files: Record<string, string> = {};
  private count = 0;
  private bytes = 0;

  add(path: string, size: number, sha256: string): void {
    this.count += 1;
    this.bytes += size;
    if (this.isFew()) this.files[path] = sha256;
  }

  facts(print: string): Pick<Facts, "print" | "unsettled"> {
    if (this.count === 0) return { print };
    const unsettled = { print, files: this.files };
    const isShort = JSON.stringify(unsettled).length < factsBytes / 2;
    return { print: null, ...(this.isFew() && isShort ? { unsettled } : {}) };
  }

  private isFew(): boolean {
    return this.count <= 5 && this.bytes <= rereadBytes;
  }
}

async function read(root: string, { path, size, link, folder }: Found, tell: Reading): Promise<string> {
  if (link !== undefined) return hashText(link);
  if (folder === true) return emptySha256;
  const absolute = join(root, path);
  if (size > smallBytes) return hashFile(absolute, tell.hashed).catch((error: unknown) => unreadable(absolute, error));
  try {
    return hashSmall(absolute, tell.hashed);
  } catch (error) {
    return unreadable(absolute, error);
  }
}

/** The checksums of an earlier index, asked for in the order of their paths. */
class Known {
  private readonly lines: Generator<Line> | undefined;
  private line: Line | undefined;

  constructor(before: StoredIndex | undefined) {
    this.lines = before?.lines();
    this.next();
  }

  /** Undefined where the content must be read. */
  checksum({ path, stamp }: Found): string | undefined {
    while (this.line !== undefined && this.line[1] < path) this.next();
    const [, , , sha256, more] = this.line?.[1] === path ? this.line : [];
    return stamp !== undefined && more === stamp ? sha256 : undefined;
  }

  private next(): void {
    this.line = this.lines?.next().value ?? undefined;
  }
}
