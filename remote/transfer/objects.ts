import {
  chmodSync,
  closeSync,
  fchmodSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readlinkSync,
  renameSync,
  type Stats,
  writeSync,
} from "node:fs";
import { lstat, mkdir, readdir, readFile, readlink, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Breaks } from "../../local/folder/breaks";
import { type Found, stampOf } from "../../local/folder/entries";
import { indexOf } from "../../local/folder/folder-index";
import { hashFile, hashSmall, hashText, smallBytes } from "../../local/folder/hashes";
import type { Manifest, ManifestEntry } from "../../local/folder/manifest";
import { byPath, hasContent, manifestHash } from "../../local/folder/manifest";
import { filesAtOnce, inParallel } from "../../local/folder/parallel";
import type { Listener } from "../../local/listener";
import { fileCounter } from "./counter";
import type { RemoteEntry } from "./listing";
import { parseResults, type ResultsRecord, resultsFile } from "./results-file";
import { copySparse } from "./sparse";

/** A folder with files whose content is known: checksum → path of one. */
interface Source {
  at: string;
  readonly files: Map<string, string>;
}

/**
 * The new results while they grow, `<partial>/tree`, and content that is here already: in an earlier download, and in what
 * tries that broke off have left in `<partial>`.
 */
export class Objects {
  /** Record of the earlier results, where there are any. */
  earlier: ResultsRecord | undefined;
  /** Paths of the earlier results that are as their record says. */
  private readonly inPlace = new Set<string>();
  private readonly before: Source;
  private readonly left: Source[] = [];
  private tree: Source;
  private readonly folders = new Set<string>();
  /** Sizes of all content that is here. */
  private readonly sizes = new Set<number>();
  /** Content that has a name of the new results already, and must be copied for another one. */
  private readonly used = new Set<string>();

  private constructor(
    private readonly partial: string,
    final: string,
  ) {
    this.before = { at: final, files: new Map() };
    this.tree = { at: join(partial, "tree"), files: new Map() };
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
    const objects = new Objects(partial, final);
    await objects.addLeft();
    await objects.addEarlier(hashFolder, onStatus);
    return objects;
  }

  /** The folder of the new results. */
  get root(): string {
    return this.tree.at;
  }

  /** Folder of what has arrived in part. */
  private get parts(): string {
    return join(this.partial, "parts");
  }

  private async addLeft(): Promise<void> {
    await mkdir(this.parts, { recursive: true });
    for (const item of await readdir(this.partial, { withFileTypes: true })) {
      const at = join(this.partial, item.name);
      if (!item.isDirectory()) await rm(at);
      else if (at !== this.parts && at !== this.tree.at) await this.addSource(at);
    }
    // Its name is that of the next one.
    if (statusOf(this.tree.at) !== undefined) await this.addSource(await this.putAside());
    mkdirSync(this.tree.at);
  }

  private async addSource(at: string): Promise<void> {
    const source: Source = { at, files: new Map() };
    this.left.push(source);
    const breaks = new Breaks();
    for (const path of filesBelow(at)) {
      const size = statusOf(join(at, path))?.size ?? 0;
      this.sizes.add(size);
      source.files.set(await (size > smallBytes ? hashFile : hashSmall)(join(at, path)), path);
      await breaks.take();
    }
  }

  private async putAside(): Promise<string> {
    const taken = new Set(readdirSync(this.partial));
    let number = 1;
    while (taken.has(`left-${number}`)) number++;
    const at = join(this.partial, `left-${number}`);
    await rename(this.tree.at, at);
    return at;
  }

  private async addEarlier(hashFolder: string | undefined, onStatus: Listener["status"]): Promise<void> {
    const { at: final, files } = this.before;
    const file = join(final, resultsFile);
    try {
      this.earlier = parseResults(await readFile(file), file);
    } catch {
      return;
    }
    const entries = this.earlier.manifest.files;
    const recorded = new Map(entries.map(({ path, sha256 }) => [path, sha256]));
    for (const entry of entries) if (!hasContent(entry) && isThere(final, entry)) this.inPlace.add(entry.path);
    const count = fileCounter(onStatus, "checking what is already here", entries.length);
    let left = entries.length;
    const done = (files: number): void => {
      left -= files;
      count(files);
    };
    const tell = { found: () => {}, begin: () => {}, hashed: () => {}, done: () => done(1) };
    const how = { kind: "results", hashFolder, tell } as const;
    const index = await indexOf(final, () => filesIn(final, entries), how);
    done(left);
    for (const { path, size, sha256 } of index.entries()) {
      if (sha256 !== recorded.get(path)) continue;
      this.inPlace.add(path);
      this.sizes.add(size);
      if (!files.has(sha256)) files.set(sha256, path);
    }
  }

  /** Begins the new results anew. What has arrived so far is here already. */
  async renew(): Promise<void> {
    if (this.tree.files.size === 0) return;
    this.tree.at = await this.putAside();
    this.left.push(this.tree);
    this.tree = { at: join(this.partial, "tree"), files: new Map() };
    this.folders.clear();
    mkdirSync(this.tree.at);
  }

  /** True where the earlier results hold just this already. */
  holds(manifest: Manifest): boolean {
    return (
      this.earlier !== undefined &&
      manifestHash(this.earlier.manifest) === manifestHash(manifest) &&
      manifest.files.every(({ path }) => this.inPlace.has(path))
    );
  }

  /** True where the file, link or folder of the earlier results is as their record says. */
  isInPlace(path: string): boolean {
    return this.inPlace.has(path);
  }

  /** True where the content of this entry is here. Links and empty folders need none, whatever checksum they have. */
  has(entry: ManifestEntry): boolean {
    return !hasContent(entry) || this.sources.some(({ files }) => files.has(entry.sha256));
  }

  private get sources(): readonly Source[] {
    return [this.tree, ...this.left, this.before];
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
  add({ path, sha256, executable }: ManifestEntry, content: Buffer): void {
    const file = create(this.placeFor(path));
    try {
      for (let written = 0; written < content.length; ) written += writeSync(file, content, written);
      fchmodSync(file, modeOf(executable));
    } finally {
      closeSync(file);
    }
    this.tree.files.set(sha256, path);
    this.sizes.add(content.length);
  }

  /** Takes a file that has been checked. */
  addFile({ path, size, sha256, executable }: ManifestEntry, part: string): void {
    const to = this.placeFor(path);
    if (statusOf(to) !== undefined) throw sameName(to);
    chmodSync(part, modeOf(executable));
    renameSync(part, to);
    this.tree.files.set(sha256, path);
    this.sizes.add(size);
  }

  /** The path of a file in the new results, in a folder that is there. */
  placeFor(path: string): string {
    const folder = dirname(path);
    if (!this.folders.has(folder)) {
      mkdirSync(join(this.tree.at, folder), { recursive: true });
      this.folders.add(folder);
    }
    return `${this.tree.at}/${path}`;
  }

  /**
   * Puts a file into the new results whose content is here. No two paths, and no two folders of results, share an inode:
   * who edits one would change the other.
   */
  async place({ path, sha256, executable }: ManifestEntry, replacesEarlier: boolean): Promise<void> {
    const source = this.sources.find(({ files }) => files.has(sha256));
    const from = source?.files.get(sha256);
    if (source === undefined || from === undefined) throw new Error(`The content ${sha256} was not fetched.`);
    if (source === this.tree && from === path) return;
    const to = this.placeFor(path);
    const isItsOwn = source !== this.tree && !this.used.has(sha256) && (replacesEarlier || source !== this.before);
    this.used.add(sha256);
    try {
      if (!isItsOwn || !linked(join(source.at, from), to)) await copySparse(join(source.at, from), to);
    } catch (error) {
      throw sameName(to, error);
    }
    chmodSync(to, modeOf(executable));
  }

  /** Which files of a manifest a folder lacks, and which have other content. Reads everything. */
  static async compare(
    folder: string,
    manifest: Manifest,
    onStatus?: Listener["status"],
  ): Promise<{ missing: string[]; changed: string[] }> {
    const missing: string[] = [];
    const changed: string[] = [];
    const count = fileCounter(onStatus, "verifying", manifest.files.length);
    await inParallel(manifest.files, filesAtOnce, async (entry) => {
      const found = await compared(join(folder, entry.path), entry);
      if (found === "missing") missing.push(entry.path);
      if (found === "changed") changed.push(entry.path);
      count(1);
    });
    return { missing: missing.sort(), changed: changed.sort() };
  }
}

function modeOf(executable: boolean): number {
  return executable ? 0o755 : 0o644;
}

/** The reason why a file could not be made, in words where its name is the reason. */
export function sameName(path: string, cause?: unknown): unknown {
  if (cause !== undefined && (cause as NodeJS.ErrnoException).code !== "EEXIST") return cause;
  const message = `${path} exists already: this disk takes two names of the results for the same (upper and lower case).`;
  return new Error(message, { cause });
}

/** Opens a file that must not be there yet. */
function create(path: string): number {
  try {
    return openSync(path, "wx", 0o600);
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
  for (const item of readdirSync(join(root, under), { withFileTypes: true })) {
    const path = join(under, item.name);
    if (item.isDirectory()) yield* filesBelow(root, path);
    else if (item.isFile()) yield path;
  }
}

/** The files of a record that lie in a folder with their sizes, by path. */
function* filesIn(root: string, entries: readonly ManifestEntry[]): Generator<Found> {
  for (const { path, size, executable } of entries.filter(hasContent).sort(byPath)) {
    const info = statusOf(join(root, path));
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

/** Whether a folder or link of a record lies in a folder as it was recorded. */
function isThere(root: string, { path, link }: ManifestEntry): boolean {
  const absolute = join(root, path);
  const info = statusOf(absolute);
  if (link === undefined) return info?.isDirectory() === true;
  return info?.isSymbolicLink() === true && readlinkSync(absolute) === link;
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
