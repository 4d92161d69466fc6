import { copyFileSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { LineFile } from "../../local/folder/lines";
import type { Listener } from "../../local/listener";
import type { BucketPlace } from "../../plan/types";
import { verifyResults } from "../transfer/download";
import { ResultsRecord, resultsFile } from "../transfer/results-file";
import { newestInBucket } from "./newest";
import { type Rclone, rcloneOf } from "./rclone";

/** What came from a bucket. */
export interface FromBucket {
  /** Local folder, absolute. */
  readonly folder: string;
  /** Where it lies in the bucket. */
  readonly url: string;
  readonly files: number;
  readonly bytes: number;
}

/**
 * Downloads a run's newest results from its bucket, by this machine's own rclone. Only what their manifest lists is fetched;
 * all of it is compared with its SHA-256 before it gets its name. What lies there already is kept under another one.
 * @param final Local folder of the run's results, absolute.
 * @returns undefined where the bucket holds none.
 */
export async function downloadFromBucket(
  bucket: BucketPlace,
  secrets: Readonly<Record<string, string>>,
  final: string,
  { progress, status }: Listener,
): Promise<FromBucket | undefined> {
  const rclone = rcloneOf(bucket, secrets);
  status?.("looking into the bucket", bucket.url);
  const partial = join(dirname(final), `.bucket-${basename(final)}`);
  const looked = `${partial}.looked`;
  rmSync(partial, { recursive: true, force: true });
  try {
    const found = await newestInBucket(rclone, bucket, looked, (url) =>
      progress?.(`${url} has no manifest: its copy did not finish, so it is passed over`),
    );
    if (found === undefined) return undefined;
    const { url, there, record } = found;
    const home = { folder: final, url, files: record.count, bytes: record.bytes };
    if (await isHere(final, record.path)) return home;
    mkdirSync(partial, { recursive: true });
    copyFileSync(record.path, join(partial, resultsFile));
    status?.("downloading from the bucket", `${record.count} files`);
    await fetchAll(rclone, there, partial);
    await requireWhole(partial, url);
    const kept = swapIn(partial, final);
    if (kept !== undefined) progress?.(`What lay in ${final} is kept as ${kept}`);
    return home;
  } finally {
    rmSync(looked, { recursive: true, force: true });
  }
}

/** Fetches what the manifest lists, and makes its empty folders. */
async function fetchAll(rclone: Rclone, there: string, partial: string): Promise<void> {
  const path = `${partial}.list`;
  const list = new LineFile(path);
  try {
    // There may be a million.
    for (const { path: name, folder, link } of ResultsRecord.read(join(partial, resultsFile)).entries()) {
      if (folder === true) mkdirSync(join(partial, name), { recursive: true });
      else if (link === undefined) list.add(name);
    }
    list.sync();
    await rclone(["copy", "--files-from-raw", path, "--transfers", "8", there, partial]);
  } finally {
    list.close();
    rmSync(path, { force: true });
  }
}

/** @throws Error that names what isn't as the manifest has it */
async function requireWhole(partial: string, url: string): Promise<void> {
  const { ok, missing, changed } = await verifyResults(partial);
  if (ok) return;
  const wrong = [...missing.map((path) => `${path} is missing`), ...changed.map((path) => `${path} has changed`)];
  throw new Error(
    `The results in ${url} aren't as their manifest has them (SHA-256): ${wrong.slice(0, 5).join(", ")}` +
      `${wrong.length > 5 ? `, and ${wrong.length - 5} more` : ""}. What came is in ${partial}.`,
  );
}

/** Whether the same was downloaded before, and is as it was. */
async function isHere(final: string, manifest: string): Promise<boolean> {
  const known = join(final, resultsFile);
  if (!existsSync(known) || !readFileSync(known).equals(readFileSync(manifest))) return false;
  return (await verifyResults(final)).ok;
}

/** @returns where the folder that had the name is now */
function swapIn(partial: string, final: string): string | undefined {
  let kept: string | undefined;
  if (existsSync(final)) {
    const date = statSync(final)
      .mtime.toISOString()
      .replaceAll(/[-:]|\.\d+/g, "");
    kept = `${final}.${date}`;
    for (let number = 1; existsSync(kept); number++) kept = `${final}.${date}-${number}`;
    renameSync(final, kept);
  }
  renameSync(partial, final);
  return kept;
}
