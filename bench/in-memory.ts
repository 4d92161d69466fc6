import { existsSync, statfsSync } from "node:fs";
import { tmpdir } from "node:os";

const inMemory = "/dev/shm";
const room = 12e9;

/**
 * A folder for many or large files: in memory alone, where there is room. Else the disk of a small machine would be measured,
 * which the metadata of so many files keeps busy for minutes.
 */
export function roomyFolder(): string {
  const { bavail, bsize } = existsSync(inMemory) ? statfsSync(inMemory) : { bavail: 0, bsize: 0 };
  return bavail * bsize > room ? inMemory : tmpdir();
}
