import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import type { BucketPlace } from "../../plan/types";
import { ResultsRecord, resultsFile } from "../transfer/results-file";
import { isWholeTrial } from "../trial-part";
import { nameOf, nothingThere, type Rclone } from "./rclone";

/** Results of a run that lie in a bucket. */
export interface Newest {
  readonly url: string;
  /** How rclone calls the folder. */
  readonly there: string;
  /** What their manifest tells; the file is here. */
  readonly record: ResultsRecord;
}

/** A folder of results in the bucket: of a run's first start, its settings, and of a trial its instance. */
const startName = /^\d{8}T\d{6}Z-([0-9a-f]*)(-\w+)?\/$/;

/**
 * The newest results of a run in its bucket. Of a trial that several machines have trained, those of the one that has brought
 * it to its end.
 * @param folder Local folder for the manifests that are looked at.
 * @param onUnfinished Takes the URL of results whose copy did not finish.
 */
export async function newestInBucket(
  rclone: Rclone,
  bucket: BucketPlace,
  folder: string,
  onUnfinished?: (url: string) => void,
): Promise<Newest | undefined> {
  const listed = await rclone(["lsf", "--dirs-only", nameOf(bucket)], nothingThere);
  const names = listed.split("\n").filter((name) => startName.test(name));
  let first: (Newest & { readonly settings: string }) | undefined;
  mkdirSync(folder, { recursive: true });
  for (const name of names.sort().reverse()) {
    const settings = startName.exec(name)?.[1] ?? "";
    // What ran with other settings is older.
    if (first !== undefined && first.settings !== settings) continue;
    const start = name.slice(0, -1);
    const [there, url] = [`${nameOf(bucket)}/${start}`, `${bucket.url}/${start}`];
    const file = join(folder, `${start}.json`);
    await rclone(["copyto", `${there}/${resultsFile}`, file], nothingThere);
    if (!existsSync(file)) {
      onUnfinished?.(url);
      continue;
    }
    const found = { url, there, record: ResultsRecord.read(file), settings };
    const { run } = found.record.head;
    if (run?.trial === undefined || isWholeTrial(run)) return found;
    first ??= found;
  }
  return first;
}
