import { lstatSync, readlinkSync, type Stats } from "node:fs";
import { lstat, mkdir, readdir, readFile, readlink, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { type Found, stampOf } from "../../local/folder/entries";
import { indexOf } from "../../local/folder/folder-index";
import { hashFile, hashText } from "../../local/folder/hashes";
import type { Manifest, ManifestEntry } from "../../local/folder/manifest";
import { byPath, manifestHash } from "../../local/folder/manifest";
import { filesAtOnce, inParallel } from "../../local/folder/parallel";
import type { Listener } from "../../local/listener";
import { fileCounter } from "./counter";
import { parseResults, type ResultsRecord, resultsFile } from "./results-file";

/** Content of files, found by checksum: what a download has fetched so far, and what an earlier one left. */
export class Objects {
  /** Checksums of what has been fetched. */
  private readonly fetched = new Set<string>();
  /** Checksum → path in the earlier results of a file with that content. */
  private readonly known = new Map<string, string>();
  /** Paths of the earlier results that are as their record says. */
  private readonly inPlace = new Set<string>();
  /** Record of the earlier results, where there are any. */
  earlier: ResultsRecord | undefined;

  private constructor(
    private readonly folder: string,
    private readonly final: string,
  ) {}

  /**
   * `folder`: where fetched content goes; `final`: results of an earlier download. Both are checked, not trusted.
   * `hashFolder`: where checksums of the earlier results are remembered.
   */
  static async open(
    folder: string,
    final: string,
    hashFolder: string | undefined,
    onStatus?: Listener["status"],
  ): Promise<Objects> {
    const objects = new Objects(folder, final);
    await mkdir(folder, { recursive: true });
    await inParallel(await readdir(folder), filesAtOnce, async (name) => {
      if (!/^[0-9a-f]{64}(\.part)?$/.test(name)) {
        await rm(join(folder, name), { recursive: true, force: true });
      } else if (!name.endsWith(".part")) {
        if ((await hashFile(join(folder, name))) === name) {
          objects.fetched.add(name);
        } else {
          await rm(join(folder, name), { force: true });
        }
      }
    });
    await objects.addEarlier(hashFolder, onStatus);
    return objects;
  }

  private async addEarlier(hashFolder: string | undefined, onStatus: Listener["status"]): Promise<void> {
    const file = join(this.final, resultsFile);
    try {
      this.earlier = parseResults(await readFile(file), file);
    } catch {
      return;
    }
    const entries = this.earlier.manifest.files;
    const recorded = new Map(entries.map(({ path, sha256 }) => [path, sha256]));
    for (const entry of entries) if (!hasContent(entry) && isThere(this.final, entry)) this.inPlace.add(entry.path);
    const count = fileCounter(onStatus, "checking what is already here", entries.length);
    let left = entries.length;
    const done = (files: number): void => {
      left -= files;
      count(files);
    };
    const tell = { found: () => {}, begin: () => {}, hashed: () => {}, done: () => done(1) };
    const how = { kind: "results", hashFolder, tell } as const;
    const index = await indexOf(this.final, () => filesIn(this.final, entries), how);
    done(left);
    for (const { path, sha256 } of index.entries()) {
      if (sha256 !== recorded.get(path)) continue;
      this.inPlace.add(path);
      if (!this.known.has(sha256)) this.known.set(sha256, path);
    }
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
    return !hasContent(entry) || this.hasContentOf(entry.sha256);
  }

  /** One entry for each content that is not here. */
  missing<T extends ManifestEntry>(entries: readonly T[]): T[] {
    const asked = new Set<string>();
    return entries.filter((entry) => {
      if (this.has(entry) || asked.has(entry.sha256)) return false;
      asked.add(entry.sha256);
      return true;
    });
  }

  private hasContentOf(sha256: string): boolean {
    return this.fetched.has(sha256) || this.known.has(sha256);
  }

  /** A file with this content, and whether it is one of the earlier results. */
  sourceOf(sha256: string): { readonly path: string; readonly isEarlier: boolean } {
    if (this.fetched.has(sha256)) return { path: join(this.folder, sha256), isEarlier: false };
    const path = this.known.get(sha256);
    if (path === undefined) {
      throw new Error(`The content ${sha256} was not fetched.`);
    }
    return { path: join(this.final, path), isEarlier: true };
  }

  /** How many bytes of a content, at most its size, an earlier try has left. */
  async begun(): Promise<(sha256: string, size: number) => number> {
    const names = (await readdir(this.folder)).filter((name) => name.endsWith(".part"));
    const sizes = new Map<string, number>();
    await inParallel(names, filesAtOnce, async (name) => {
      const info = await stat(join(this.folder, name)).catch(() => undefined);
      if (info !== undefined) sizes.set(name.slice(0, -".part".length), info.size);
    });
    return (sha256, size) => {
      const arrived = sizes.get(sha256) ?? 0;
      return arrived > size ? 0 : arrived;
    };
  }

  /** Where content goes while it arrives. */
  partPath(sha256: string): string {
    return join(this.folder, `${sha256}.part`);
  }

  /** Gives arrived and checked content its name. */
  async complete(sha256: string): Promise<void> {
    await rename(this.partPath(sha256), join(this.folder, sha256));
    this.fetched.add(sha256);
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

/** True for a file: the checksum of anything else is that of no content that anybody could send. */
function hasContent({ link, folder }: ManifestEntry): boolean {
  return link === undefined && folder !== true;
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
