import fs from "node:fs/promises";
import path from "node:path";

/** How long a count stays, in milliseconds: Lambda's lags by hours. */
const stays = 2_000;

/** Bytes that folders hold. A look takes the last count, and begins the next one where that is due. */
export class UsedBytes {
  private readonly counts = new Map<string, { bytes?: number; countedAt: number }>();

  /** undefined until a folder was counted once. */
  of(folder: string): number | undefined {
    const known = this.counts.get(folder) ?? { countedAt: 0 };
    if (Date.now() - known.countedAt > stays) {
      known.countedAt = Number.POSITIVE_INFINITY;
      this.counts.set(folder, known);
      const ended = (bytes = known.bytes): void => void this.counts.set(folder, { bytes, countedAt: Date.now() });
      bytesIn(folder).then(ended, () => ended());
    }
    return known.bytes;
  }
}

async function bytesIn(folder: string): Promise<number> {
  let sum = 0;
  for (const entry of await fs.readdir(folder, { withFileTypes: true })) {
    const full = path.join(folder, entry.name);
    if (entry.isDirectory()) sum += await bytesIn(full);
    else if (entry.isFile()) sum += (await fs.stat(full).catch(() => ({ size: 0 }))).size;
  }
  return sum;
}
