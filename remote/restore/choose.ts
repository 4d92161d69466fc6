import { join, posix } from "node:path";
import type { ManifestEntry } from "../../local/folder/manifest";
import { hasContent } from "../../local/folder/manifest";
import { isAsRecorded } from "../transfer/objects";
import { hasCheckpointName } from "../written";

/** What of downloaded results a run goes on with. */
export interface Chosen {
  /** Verified by their checksums. */
  readonly entries: readonly ManifestEntry[];
  /** When the newest checkpoint among them was written, in milliseconds since the epoch; undefined where nothing tells. */
  readonly newest: number | undefined;
  /** Checkpoints and other files that are missing or not as they came, by path. */
  readonly damaged: readonly string[];
  /** Earlier checkpoints that are not needed. */
  readonly left: readonly string[];
}

/** Of checkpoints whose names differ by a number alone. */
const mostOfFamily = 3;

/** A folder that is one checkpoint. */
const checkpointFolder = /^(?:checkpoint|ckpt|step|epoch|global_?step|iter|iteration)[-_=]?\d+/i;

/** The checkpoint that a file is, or belongs to: a path. undefined for any other file. */
export function checkpointOf(path: string): string | undefined {
  const parts = path.split("/");
  const at = parts.slice(0, -1).findIndex((part) => checkpointFolder.test(part));
  if (at !== -1) return parts.slice(0, at + 1).join("/");
  return hasCheckpointName(path) ? path : undefined;
}

interface Checkpoint {
  readonly path: string;
  readonly entries: ManifestEntry[];
}

function mtimeOf({ entries }: Checkpoint): number | undefined {
  const times = entries.flatMap(({ mtime }) => mtime ?? []);
  return times.length === 0 ? undefined : Math.max(...times);
}

/** The newest first: by their times, or where these are the same or not known by the numbers in their names. */
function byAge(a: Checkpoint, b: Checkpoint): number {
  const time = (mtimeOf(b) ?? 0) - (mtimeOf(a) ?? 0);
  return time !== 0 ? time : b.path.localeCompare(a.path, "en", { numeric: true });
}

/**
 * Chooses what to put back of a folder of results: all but checkpoints of which newer ones are there, and what is no more
 * as it came. A checkpoint that is damaged in part is left out as a whole, and the one before is taken.
 */
export async function choose(folder: string, all: Iterable<ManifestEntry>): Promise<Chosen> {
  const checkpoints = new Map<string, Checkpoint>();
  const others: ManifestEntry[] = [];
  for (const entry of all) {
    const path = checkpointOf(entry.path);
    if (path === undefined) {
      others.push(entry);
      continue;
    }
    const known = checkpoints.get(path) ?? { path, entries: [] };
    known.entries.push(entry);
    checkpoints.set(path, known);
  }
  const damaged: string[] = [];
  const left: string[] = [];
  const entries: ManifestEntry[] = [];
  const isRight = (entry: ManifestEntry): Promise<boolean> => isAsRecorded(join(folder, entry.path), entry);
  for (const entry of others) {
    if (await isRight(entry)) entries.push(entry);
    else damaged.push(entry.path);
  }
  let newest: number | undefined;
  for (const family of familiesOf(checkpoints.values())) {
    let taken = 0;
    for (const checkpoint of family.sort(byAge)) {
      const isNeeded = taken < mostOfFamily || /best/i.test(posix.basename(checkpoint.path));
      if (!isNeeded) {
        left.push(checkpoint.path);
      } else if ((await wrongOf(checkpoint, isRight)) === undefined) {
        taken += 1;
        entries.push(...checkpoint.entries);
        newest = Math.max(newest ?? 0, mtimeOf(checkpoint) ?? 0);
      } else {
        damaged.push(checkpoint.path);
      }
    }
  }
  return { entries, newest: newest === 0 ? undefined : newest, damaged: damaged.sort(), left: left.sort() };
}

/** Checkpoints together whose names differ by numbers alone. */
function familiesOf(checkpoints: Iterable<Checkpoint>): Checkpoint[][] {
  const families = new Map<string, Checkpoint[]>();
  for (const checkpoint of checkpoints) {
    const { path } = checkpoint;
    const name = posix.join(posix.dirname(path), posix.basename(path).replaceAll(/\d+/g, "#"));
    families.set(name, [...(families.get(name) ?? []), checkpoint]);
  }
  return [...families.values()];
}

async function wrongOf(
  { entries }: Checkpoint,
  isRight: (entry: ManifestEntry) => Promise<boolean>,
): Promise<ManifestEntry | undefined> {
  for (const entry of entries) if (hasContent(entry) && !(await isRight(entry))) return entry;
  return undefined;
}
