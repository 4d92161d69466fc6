import {
  chmodSync,
  closeSync,
  fchmodSync,
  futimesSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readlinkSync,
  renameSync,
  type Stats,
  utimesSync,
  writeSync,
} from "node:fs";
import { lstat, mkdir, readdir, readlink, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { Bits } from "../../local/bits";
import { Breaks } from "../../local/folder/breaks";
import { Cursor } from "../../local/folder/cursor";
import { type Found, stampOf } from "../../local/folder/entries";
import { entriesOf } from "../../local/folder/everything";
import { indexOf } from "../../local/folder/folder-index";
import { hashFile, hashSmall, hashText, smallBytes } from "../../local/folder/hashes";
import type { ManifestEntry } from "../../local/folder/manifest";
import { hasContent, quoted } from "../../local/folder/manifest";
import { filesAtOnce, inParallel } from "../../local/folder/parallel";
import type { Listener } from "../../local/listener";
import { fileCounter } from "./counter";
import { KnownContents } from "./known-contents";
import type { RemoteEntry } from "./listing";
import { ResultsRecord, resultsFile } from "./results-file";
import { copySparse } from "./sparse";

/**
 * The new results while they grow, `<partial>/tree`, and content that is here already: in an earlier download, and in what
 * tries that broke off have left in `<partial>`.
 */
export class Objects {
  /** Record of the earlier results, where there are any. */
  earlier: ResultsRecord | undefined;
  /** Which entries of that record, by their numbers, are as it says. */
  private readonly inPlace = new Bits();
  /** Folders that hold content, by their numbers: the earlier results, what was left, and the new results. */
  private readonly sources: string[];
  private readonly contents: KnownContents;
  /** Number of the folder of the new results. */
  private tree = -1;
  /** Whether something is in it. */
  private isBegun = false;
  private readonly folders = new Set<string>();
  /** Sizes of all content that is here. */
  private readonly sizes = new Set<number>();

  private constructor(
    private readonly partial: string,
    final: string,
  ) {
    this.sources = [final];
    this.contents = new KnownContents(this.listPath("contents"));
  }

  /**
   * `final`: results of an earlier download. They are checked like what lies in `partial`, not trusted. `hashFolder`: where
   * checksums of the earlier results are remembered.
   */
  static async open(
    partial: string,
    final: string,
    hashFolder: string | undefined,
    onStatus?: Listener["status"],
  ): Promise<Objects> {
    await mkdir(join(partial, "parts"), { recursive: true });
    // Lists of an earlier try.
    for (const item of await readdir(partial, { withFileTypes: true })) {
      if (!item.isDirectory()) await rm(join(partial, item.name));
    }
    const objects = new Objects(partial, final);
    try {
      await objects.addLeft();
      await objects.addEarlier(hashFolder, onStatus);
      return objects;
    } catch (error) {
      objects.close();
      throw error;
    }
  }

  /** Nothing is asked for any more. */
  close(): void {
    this.contents.close();
  }

  /** The folder of the new results. */
  get root(): string {
    return join(this.partial, "tree");
  }

  /** A file for a list that is needed while the download lasts. */
  listPath(name: string): string {
    return join(this.partial, name);
  }

  /** Folder of what has arrived in part. */
  private get parts(): string {
    return join(this.partial, "parts");
  }

  private async addLeft(): Promise<void> {
    for (const item of await readdir(this.partial, { withFileTypes: true })) {
      const at = join(this.partial, item.name);
      if (item.isDirectory() && at !== this.parts && at !== this.root) await this.addSource(at);
    }
    // Its name is that of the next one.
    if (statusOf(this.root) !== undefined) await this.addSource(await this.putAside());
    this.beginTree();
  }

  private beginTree(): void {
    mkdirSync(this.root);
    this.tree = this.sources.push(this.root) - 1;
    this.isBegun = false;
    this.folders.clear();
  }

  private async addSource(at: string): Promise<void> {
    const source = this.sources.push(at) - 1;
    const breaks = new Breaks();
    for (const path of filesBelow(at)) {
      const size = statusOf(join(at, path))?.size ?? 0;
      this.sizes.add(size);
      this.contents.add(await (size > smallBytes ? hashFile : hashSmall)(join(at, path)), source, path);
      await breaks.take();
    }
  }

  private async putAside(): Promise<string> {
    const taken = new Set(readdirSync(this.partial));
    let number = 1;
    while (taken.has(`left-${number}`)) number++;
    const at = this.listPath(`left-${number}`);
    await rename(this.root, at);
    return at;
  }

  private async addEarlier(hashFolder: string | undefined, onStatus: Listener["status"]): Promise<void> {
    const [final = ""] = this.sources;
    let earlier: ResultsRecord;
    try {
      earlier = ResultsRecord.read(join(final, resultsFile));
    } catch {
      return;
    }
    this.earlier = earlier;
    const count = fileCounter(onStatus, "checking what is already here", earlier.count);
    let left = earlier.count;
    const done = (files: number): void => {
      left -= files;
      count(files);
    };
    const tell = { found: () => {}, begin: () => {}, hashed: () => {}, done: () => done(1) };
    const how = { kind: "results", hashFolder, tell } as const;
    const index = await indexOf(final, () => filesIn(final, earlier.entries()), how);
    done(left);
    const there = new Cursor(index.entries());
    const breaks = new Breaks();
    let number = -1;
    for (const entry of earlier.entries()) {
      number += 1;
      await breaks.take();
      const { path, size, sha256 } = entry;
      if (!hasContent(entry)) {
        if (isThere(final, entry)) this.inPlace.set(number);
      } else if (there.find(path)?.sha256 === sha256) {
        this.inPlace.set(number);
        this.sizes.add(size);
        this.contents.add(sha256, 0, path);
      }
    }
  }

  /** Begins the new results anew. What has arrived so far is here already. */
  async renew(): Promise<void> {
    if (!this.isBegun) return;
    this.sources[this.tree] = await this.putAside();
    this.beginTree();
  }

  /** True where the earlier results hold just this already. */
  async holds(record: ResultsRecord): Promise<boolean> {
    const { earlier } = this;
    if (earlier?.count !== record.count || this.inPlace.count < record.count) return false;
    const breaks = new Breaks();
    const others = earlier.entries();
    for (const entry of record.entries()) {
      if (!isSame(entry, others.next().value)) {
        others.return(undefined);
        return false;
      }
      await breaks.take();
    }
    others.return(undefined);
    return true;
  }

  /** The entries of the earlier results, by path, and whether each is as their record says. */
  *earlierEntries(): Generator<ManifestEntry & { readonly isInPlace: boolean }> {
    let number = 0;
    for (const entry of this.earlier?.entries() ?? []) yield { ...entry, isInPlace: this.inPlace.has(number++) };
  }

  /** True where the content of this entry is here. Links and empty folders need none, whatever checksum they have. */
  has(entry: ManifestEntry): boolean {
    return !hasContent(entry) || this.contents.has(entry.sha256);
  }

  /** True where content of this size is here: another one may be the same. */
  hasSize(size: number): boolean {
    return this.sizes.has(size);
  }

  /** Where content goes while it arrives. */
  partOf({ entry, key = entry.sha256 }: RemoteEntry): string {
    return join(this.parts, hashText(`${entry.path}\0${key}`));
  }

  /** How many bytes of a content an earlier try has left; at least the last one of it is still to come. */
  begun(remote: RemoteEntry): number {
    const { size } = remote.entry;
    const arrived = statusOf(this.partOf(remote))?.size ?? 0;
    return arrived > size ? 0 : Math.min(arrived, size - 1);
  }

  /** Writes content that has been checked. */
  add(entry: ManifestEntry, content: Buffer): void {
    const file = create(this.placeFor(entry.path), modeOf(entry.executable));
    try {
      for (let written = 0; written < content.length; ) written += writeSync(file, content, written);
      if (isMasked) fchmodSync(file, modeOf(entry.executable));
      if (entry.mtime !== undefined) futimesSync(file, ...timesOf(entry.mtime));
    } finally {
      closeSync(file);
    }
    this.note(entry);
  }

  /** Takes a file that has been checked. */
  addFile(entry: ManifestEntry, part: string): void {
    const to = this.placeFor(entry.path);
    if (statusOf(to) !== undefined) throw sameName(to);
    chmodSync(part, modeOf(entry.executable));
    giveTime(part, entry);
    renameSync(part, to);
    this.note(entry);
  }

  private note({ path, size, sha256 }: ManifestEntry): void {
    this.contents.add(sha256, this.tree, path);
    this.sizes.add(size);
    this.isBegun = true;
  }

  /** The path of a file in the new results, in a folder that is there. */
  placeFor(path: string): string {
    const folder = dirname(path);
    if (!this.folders.has(folder)) {
      makeFolder(join(this.root, folder));
      if (this.folders.size === mostFolders) this.folders.clear();
      this.folders.add(folder);
    }
    return `${this.root}/${path}`;
  }

  /**
   * Puts a file into the new results whose content is here. No two paths, and no two folders of results, share an inode:
   * who edits one would change the other.
   */
  async place(entry: ManifestEntry, replacesEarlier: boolean): Promise<void> {
    const { path, sha256, executable } = entry;
    const known = this.contents.get(sha256);
    if (known === undefined) throw new Error(`The content ${sha256} was not fetched.`);
    const isNew = known.source === this.tree;
    if (isNew && known.path === path) return;
    const from = join(this.sources[known.source] ?? "", known.path);
    const to = this.placeFor(path);
    const isItsOwn = this.contents.use(sha256) && !isNew && (replacesEarlier || known.source !== 0);
    try {
      if (!isItsOwn || !linked(from, to)) await copySparse(from, to);
    } catch (error) {
      throw sameName(to, error);
    }
    chmodSync(to, modeOf(executable));
    giveTime(to, entry);
  }

  /** Which files of a record a folder lacks, and which have other content. Reads everything. */
  static async compare(
    folder: string,
    record: ResultsRecord,
    onStatus?: Listener["status"],
  ): Promise<{ missing: string[]; changed: string[] }> {
    const missing: string[] = [];
    const changed: string[] = [];
    const count = fileCounter(onStatus, "verifying", record.count);
    await inParallel(record.entries(), filesAtOnce, async (entry) => {
      const found = await compared(join(folder, entry.path), entry);
      if (found === "missing") missing.push(entry.path);
      if (found === "changed") changed.push(entry.path);
      count(1);
    });
    return { missing: missing.sort(), changed: changed.sort() };
  }
}

/** Folders that are known to be there. */
const mostFolders = 1000;

/** Where the user's mask takes a part of the modes that files get. */
const isMasked = (process.umask() & 0o755) !== 0;

function modeOf(executable: boolean): number {
  return executable ? 0o755 : 0o644;
}

/** Times for Node, in seconds: when a file was read last, and written. */
function timesOf(mtime: number): [number, number] {
  return [mtime / 1000, mtime / 1000];
}

/** Gives a file the time that it has on the instance, which tells the newest checkpoint. */
function giveTime(path: string, { mtime }: ManifestEntry): void {
  // A change of what is right already would have its checksum made again.
  if (mtime !== undefined && Math.floor(statusOf(path)?.mtimeMs ?? 0) !== mtime) utimesSync(path, ...timesOf(mtime));
}

/** The reason why a file could not be made, in words where its name is the reason. */
export function sameName(path: string, cause?: unknown): unknown {
  if (cause !== undefined && (cause as NodeJS.ErrnoException).code !== "EEXIST") return cause;
  const message = isNamedSo(path)
    ? `The instance listed ${quoted(basename(path))} in ${dirname(path)} twice; that is refused.`
    : `${path} exists already: this disk takes two names of the results for the same (upper and lower case).`;
  return new Error(message, { cause });
}

/** Whether a folder has just this name, and not only one that its disk takes for the same. */
function isNamedSo(path: string): boolean {
  return readdirSync(dirname(path)).includes(basename(path));
}

function makeFolder(path: string): void {
  try {
    mkdirSync(path, { recursive: true });
  } catch (error) {
    throw sameName(path, error);
  }
}

/** Opens a file that must not be there yet. */
function create(path: string, mode: number): number {
  try {
    return openSync(path, "wx", mode);
  } catch (error) {
    throw sameName(path, error);
  }
}

/** Gives a file a second name. False on a disk without hard links. */
function linked(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") throw error;
    return false;
  }
}

/** Paths of the files below a folder. */
function* filesBelow(root: string, under = ""): Generator<string> {
  const folders: string[] = [];
  for (const item of entriesOf(join(root, under))) {
    const path = join(under, item.name);
    if (item.isDirectory()) folders.push(path);
    else if (item.isFile()) yield path;
  }
  for (const folder of folders) yield* filesBelow(root, folder);
}

/** The files among entries that lie in a folder with their sizes. */
function* filesIn(root: string, entries: Iterable<ManifestEntry>): Generator<Found> {
  for (const entry of entries) {
    const { path, size, executable } = entry;
    const info = hasContent(entry) ? statusOf(join(root, path)) : undefined;
    if (info?.isFile() && info.size === size) {
      yield { path, size, executable, stamp: stampOf(info), changedAt: info.ctimeMs };
    }
  }
}

/** What lies at a path; undefined where nothing does, or nobody can see it. */
function statusOf(path: string): Stats | undefined {
  try {
    return lstatSync(path);
  } catch {
    return undefined;
  }
}

function isSame(one: ManifestEntry, other: ManifestEntry | undefined): boolean {
  const names = ["path", "size", "sha256", "executable", "link", "folder"] as const;
  return other !== undefined && names.every((name) => one[name] === other[name]);
}

/** Whether a folder or link of a record lies in a folder as it was recorded. */
function isThere(root: string, { path, link }: ManifestEntry): boolean {
  const absolute = join(root, path);
  const info = statusOf(absolute);
  if (link === undefined) return info?.isDirectory() === true;
  return info?.isSymbolicLink() === true && readlinkSync(absolute) === link;
}

/** Whether a file, link or folder is as a record has it. Reads all of it. */
export async function isAsRecorded(absolute: string, entry: ManifestEntry): Promise<boolean> {
  return (await compared(absolute, entry)) === "right";
}

async function compared(absolute: string, entry: ManifestEntry): Promise<"right" | "missing" | "changed"> {
  const { size, sha256, link, folder } = entry;
  const info = await lstat(absolute).catch(() => undefined);
  if (info === undefined) return "missing";
  if (folder === true) return info.isDirectory() ? "right" : "changed";
  if (link !== undefined) {
    return info.isSymbolicLink() && hashText(await readlink(absolute)) === sha256 ? "right" : "changed";
  }
  return info.isFile() && info.size === size && (await hashFile(absolute)) === sha256 ? "right" : "changed";
}
