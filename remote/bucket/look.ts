import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { parseJson } from "../../local/json";
import type { BucketPlace, EvaluationPlan } from "../../plan/types";
import { metricsIn } from "../metrics-at-home";
import type { RunRecord } from "../transfer/run-record";
import { type Newest, newestInBucket } from "./newest";
import { nothingThere, type Rclone, rcloneOf } from "./rclone";

/** Results of a run in a bucket, as a look from this machine has verified them. */
export interface SeenInBucket {
  readonly url: string;
  /** Where they came from, as their manifest tells. */
  readonly source: string;
  readonly ran?: RunRecord;
  readonly files: number;
  readonly bytes: number;
  /** Files of the evaluation's metrics, by path. */
  readonly metrics: Readonly<Record<string, unknown>>;
}

/**
 * Looks for a run's newest results in its bucket, by this machine's own rclone, and sees that each object is there as their
 * manifest has it: its size, and its MD5 where the bucket tells that. It reads the metrics' files, and no other.
 * @returns undefined where there are none
 * @throws Error where they can't be looked at, or one isn't as the manifest has it
 */
export async function lookInBucket(
  bucket: BucketPlace,
  secrets: Readonly<Record<string, string>>,
  evaluation?: Pick<EvaluationPlan, "metrics">,
): Promise<SeenInBucket | undefined> {
  const rclone = rcloneOf(bucket, secrets);
  const folder = mkdtempSync(join(tmpdir(), "lambda-train-bucket-"));
  try {
    const found = await newestInBucket(rclone, bucket, join(folder, "manifests"));
    if (found === undefined) return undefined;
    const { url, there, record } = found;
    await requireThere(rclone, found);
    const files = join(folder, "metrics");
    if (evaluation !== undefined)
      await rclone(["copy", "--max-size", "64M", "--include", `/${evaluation.metrics}`, there, files], nothingThere);
    const metrics = evaluation === undefined ? {} : metricsIn(files, evaluation.metrics).files;
    const { source, run } = record.head;
    return { url, source, ran: run, files: record.count, bytes: record.bytes, metrics };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const listingSchema = z.array(
  z.object({ Path: z.string(), Size: z.number(), Hashes: z.object({ md5: z.string().optional() }).optional() }),
);

async function requireThere(rclone: Rclone, { url, there, record }: Newest): Promise<void> {
  const words = ["lsjson", "--recursive", "--files-only", "--no-modtime", "--hash", "--hash-type", "md5", there];
  const listed = new Map(listingSchema.parse(parseJson(await rclone(words))).map((each) => [each.Path, each]));
  for (const { path, size, folder, link, md5 } of record.entries()) {
    if (folder === true || link !== undefined) continue;
    const has = listed.get(path);
    const known = has?.Hashes?.md5;
    if (has?.Size === size && (known === undefined || md5 === undefined || known === md5)) continue;
    throw new Error(`${url}/${path} ${has === undefined ? "is missing" : "isn't as the manifest there has it"}.`);
  }
}
