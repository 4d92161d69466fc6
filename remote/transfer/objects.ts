import { lstat, mkdir, readdir, readFile, readlink, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Manifest, ManifestEntry } from "../types";
import { type HashCache, hashFile, hashText } from "./hashes";
import { manifestHash } from "./manifest";
import { filesAtOnce, inParallel } from "./parallel";
import { parseResults, resultsFile } from "./results-file";

/** Content of files, found by checksum: what a download has fetched so far, and what an earlier one left. */
export class Objects {
  /** Checksum → path of a file with that content. */
  private readonly known = new Map<string, string>();
  /** Paths of the earlier results that are as their record says. */
  private readonly inPlace = new Set<string>();
  private earlier: Manifest | undefined;

  private constructor(
    private readonly folder: string,
    private readonly cache: HashCache,
  ) {}

  /** `folder`: where fetched content goes; `final`: results of an earlier download. Both are checked, not trusted. */
  static async open(folder: string, final: string, cache: HashCache): Promise<Objects> {
    const objects = new Objects(folder, cache);
    await mkdir(folder, { recursive: true });
    for (const name of await readdir(folder)) {
      if (!/^[0-9a-f]{64}(\.part)?$/.test(name)) {
        await rm(join(folder, name), { recursive: true, force: true });
      } else if (!name.endsWith(".part")) {
        if ((await hashFile(join(folder, name))) === name) {
          objects.known.set(name, join(folder, name));
        } else {
          await rm(join(folder, name), { force: true });
        }
      }
    }
    await objects.addEarlier(final);
    return objects;
  }

  private async addEarlier(final: string): Promise<void> {
    const file = join(final, resultsFile);
    let manifest: Manifest;
    try {
      manifest = parseResults(await readFile(file, "utf8"), file).manifest;
    } catch {
      return;
    }
    await inParallel(manifest.files, filesAtOnce, async ({ path, sha256, size, link }) => {
      const absolute = join(final, path);
      const info = await lstat(absolute, { bigint: true }).catch(() => undefined);
      if (link !== undefined) {
        if (info?.isSymbolicLink() && hashText(await readlink(absolute)) === sha256) {
          this.inPlace.add(path);
        }
      } else if (info?.isFile() && Number(info.size) === size) {
        if ((await this.cache.sha256(absolute, path, info)) === sha256) {
          this.inPlace.add(path);
          this.known.set(sha256, this.known.get(sha256) ?? absolute);
        }
      }
    });
    this.earlier = manifest;
    await this.cache.save();
  }

  /** True where the earlier results hold just this already. */
  holds(manifest: Manifest): boolean {
    return (
      this.earlier !== undefined &&
      manifestHash(this.earlier) === manifestHash(manifest) &&
      manifest.files.every(({ path }) => this.inPlace.has(path))
    );
  }

  /** True where the content of this entry is here (a link needs none). */
  has({ sha256, link }: ManifestEntry): boolean {
    return link !== undefined || this.known.has(sha256);
  }

  /** One entry for each content that is not here. */
  missing<T extends ManifestEntry>(entries: readonly T[]): T[] {
    const asked = new Set(this.known.keys());
    return entries.filter(({ sha256, link }) => {
      const absent = link === undefined && !asked.has(sha256);
      asked.add(sha256);
      return absent;
    });
  }

  /** Path of a file with this content. */
  pathOf(sha256: string): string {
    const path = this.known.get(sha256);
    if (path === undefined) {
      throw new Error(`The content ${sha256} was not fetched.`);
    }
    return path;
  }

  /** Bytes of this content that an earlier try has left, at most `size`. */
  async arrived(sha256: string, size: number): Promise<number> {
    const info = await stat(this.partPath(sha256)).catch(() => undefined);
    return info === undefined || info.size > size ? 0 : info.size;
  }

  /** Where content goes while it arrives. */
  partPath(sha256: string): string {
    return join(this.folder, `${sha256}.part`);
  }

  /** Gives arrived and checked content its name. */
  async complete(sha256: string): Promise<void> {
    const path = join(this.folder, sha256);
    await rename(this.partPath(sha256), path);
    this.known.set(sha256, path);
  }

  /** Which files of a manifest a folder lacks, and which have other content. Reads everything. */
  static async compare(folder: string, manifest: Manifest): Promise<{ missing: string[]; changed: string[] }> {
    const missing: string[] = [];
    const changed: string[] = [];
    await inParallel(manifest.files, filesAtOnce, async ({ path, size, sha256, link }) => {
      const absolute = join(folder, path);
      const info = await lstat(absolute).catch(() => undefined);
      if (info === undefined) {
        missing.push(path);
      } else if (link !== undefined) {
        if (!info.isSymbolicLink() || hashText(await readlink(absolute)) !== sha256) {
          changed.push(path);
        }
      } else if (!info.isFile() || info.size !== size || (await hashFile(absolute)) !== sha256) {
        changed.push(path);
      }
    });
    return { missing: missing.sort(), changed: changed.sort() };
  }
}
