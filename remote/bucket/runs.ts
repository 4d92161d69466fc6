import { runOfBucket } from "../../plan/bucket";
import type { BucketPlace } from "../../plan/types";
import { numberOf } from "../trials";
import { nameOf, nothingThere, rcloneOf } from "./rclone";

/** What of an experiment may lie in a bucket besides its own results. */
export interface BucketParts {
  /** Trials, and what their workers have logged. */
  readonly isSweep: boolean;
  /** What other ranks than 0 have left. */
  readonly isTogether: boolean;
}

/**
 * Names of an experiment's runs below the stack's folder in a bucket, as their results are named at home.
 * @param bucket Of the experiment's own results.
 */
export async function runsInBucket(
  bucket: BucketPlace,
  secrets: Readonly<Record<string, string>>,
  { isSweep, isTogether }: BucketParts,
): Promise<string[]> {
  const experiment = runOfBucket(bucket);
  const above = { ...bucket, url: bucket.url.slice(0, -experiment.length - 1) };
  if (!isSweep && !isTogether) return [experiment];
  const listed = await rcloneOf(above, secrets)(["lsf", "--dirs-only", nameOf(above)], nothingThere);
  const names = listed.split("\n").map((line) => line.replace(/\/$/, ""));
  const trials = names.filter((name) => isSweep && numberOf(name, experiment) !== undefined);
  const folders = isSweep ? /^worker\.\d+$/ : /^rank\.\d+$/;
  const parts = names.filter((name) => folders.test(name)).map((name) => `${name}/${experiment}`);
  const inOrder = new Intl.Collator("en", { numeric: true }).compare;
  return [experiment, ...[...trials, ...parts].sort(inOrder)];
}
