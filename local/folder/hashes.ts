import { createHash, randomUUID } from "node:crypto";
import type { BigIntStats } from "node:fs";
import { mkdir, open, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** A file younger than this when it is hashed may change again within the same time stamp: it is not remembered. */
const settledNs = 2_000_000_000n;

/**
 * Checksums of one folder's files, remembered between runs by size, modification time and inode, so that a run in which
 * nothing changed reads no content. Without a folder to keep them in, everything is read.
 */
export class HashCache {
  private readonly known = new Map<string, string>();
  private readonly next = new Map<string, string>();
  private dirty = false;

  private constructor(private readonly file: string | undefined) {}

  /** `hashFolder`: where caches are kept (`<local>/hashes`); `folder`: whose files these are. */
  static async open(hashFolder: string | undefined, folder: string): Promise<HashCache> {
    const name = createHash("sha256").update(folder).digest("hex").slice(0, 32);
    const cache = new HashCache(hashFolder === undefined ? undefined : join(hashFolder, `${name}.json`));
    if (cache.file !== undefined) {
      try {
        const stored: unknown = JSON.parse(await readFile(cache.file, "utf8"));
        for (const [key, sha256] of Object.entries(stored as Record<string, string>)) {
          cache.known.set(key, sha256);
        }
      } catch {
        // Missing or damaged: the cost is one reading of everything.
      }
    }
    return cache;
  }

  /** SHA-256 of a file, from memory where its `stat` is the one remembered. */
  async sha256(absolute: string, path: string, stat: BigIntStats): Promise<string> {
    const key = `${stat.size}:${stat.mtimeNs}:${stat.ino}:${path}`;
    let sha256 = this.known.get(key);
    if (sha256 === undefined) {
      sha256 = await hashFile(absolute);
      this.dirty = true;
    }
    if (BigInt(Date.now()) * 1_000_000n - stat.mtimeNs > settledNs) {
      this.next.set(key, sha256);
    }
    return sha256;
  }

  /** Keeps what was asked for since `open`, and only that. */
  async save(): Promise<void> {
    if (this.file === undefined || (!this.dirty && this.next.size === this.known.size)) {
      return;
    }
    await mkdir(join(this.file, ".."), { recursive: true });
    const temporary = `${this.file}.${randomUUID()}`;
    try {
      await writeFile(temporary, JSON.stringify(Object.fromEntries(this.next)));
      await rename(temporary, this.file);
    } finally {
      await rm(temporary, { force: true });
    }
  }
}

/** SHA-256 of a file's content, hexadecimal. */
export async function hashFile(path: string, onBytes?: (bytes: number) => void): Promise<string> {
  const hash = createHash("sha256");
  const handle = await open(path);
  try {
    const { size } = await handle.stat();
    // A stream costs more than the reading of a small file.
    const buffer = Buffer.allocUnsafe(Math.min(Math.max(size, 1), readBytes));
    for (let read = await handle.read(buffer); read.bytesRead > 0; read = await handle.read(buffer)) {
      hash.update(buffer.subarray(0, read.bytesRead));
      onBytes?.(read.bytesRead);
    }
  } finally {
    await handle.close();
  }
  return hash.digest("hex");
}

const readBytes = 1024 * 1024;

/** SHA-256 of a text, hexadecimal. */
export function hashText(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
