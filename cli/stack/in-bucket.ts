import { join } from "node:path";
import { z } from "zod";
import { hashText } from "../../local/folder/hashes";
import { keepJson, readJson } from "../../local/json";
import { localFolder } from "../../local/paths";
import type { BucketPlace } from "../../plan/types";
import { lookInBucket, type SeenInBucket } from "../../remote/bucket/look";
import { isHomeInBucket } from "../../remote/bucket/on-instance";
import { mainNumbers } from "../../remote/metrics-at-home";
import { parseSource } from "../../remote/transfer/results-source";
import { workerRun } from "../../remote/trials";
import type { RunStatus } from "../../remote/types";
import { type AccountLook, sawGone } from "./look";
import { sideBySide } from "./of-each";
import { secretsFor } from "./secrets";
import { type JobView, jobsOf, type StackView } from "./stack-view";

const noteSchema = z.object({
  /** Where in the bucket they lie. */
  url: z.string(),
  /** How the run's newest start ended, as their manifest tells. */
  exitCode: z.number().optional(),
  stopReason: z.string().optional(),
  metrics: z.record(z.string(), z.number()),
});

/** Verified results of an instance's run in its bucket, which counts as home. */
export type NotedInBucket = Readonly<z.infer<typeof noteSchema>>;

type Job = Pick<JobView, "run" | "worker" | "instance">;

/** What a look has verified of a run in its bucket; undefined where that doesn't count as home, or nobody has looked. */
export function notedInBucket(job: Job): NotedInBucket | undefined {
  const place = placeOf(job);
  return place === undefined ? undefined : noteSchema.safeParse(readJson(fileOf(place))).data;
}

/** Where in a bucket that counts as home the results of a run are; undefined where they aren't, as far as is known. */
export function urlInBucket(job: Job, status?: RunStatus): string | undefined {
  const { inBucket } = status ?? {};
  const isThere = placeOf(job) !== undefined && inBucket !== undefined && inBucket.problem === undefined;
  return isThere ? inBucket.url : notedInBucket(job)?.url;
}

/**
 * Looks into the buckets that count as home for what instances have left there that are gone, by this machine's rclone. Never
 * fails; what couldn't be looked at is told on standard error.
 */
export async function lookIntoBuckets(view: StackView, account: AccountLook): Promise<void> {
  const due = jobsOf(view).filter((job) => sawGone(account, job) && notedInBucket(job) === undefined);
  const looks = sideBySide(due, async (job) => {
    const place = placeOf(job);
    if (place === undefined) return;
    const { bucket, instanceId } = place;
    try {
      const seen = await lookInBucket(bucket, await secretsFor(job.stack, job.run), job.evaluation);
      if (seen !== undefined && parseSource(seen.source)?.instance === instanceId)
        keepJson(fileOf(place), noteOf(seen));
    } catch (error) {
      console.error(
        `What instance ${instanceId} has left in ${bucket.url} wasn't looked at: ${(error as Error).message}`,
      );
    }
  });
  await Promise.all(looks);
}

function noteOf({ url, ran, metrics }: SeenInBucket): NotedInBucket {
  const { exitCode, stopReason } = ran?.attempts.at(-1) ?? {};
  return { url, exitCode, stopReason, metrics: mainNumbers(metrics) };
}

interface Place {
  readonly bucket: BucketPlace;
  readonly instanceId: string;
}

function placeOf({ run, worker, instance }: Job): Place | undefined {
  if (run === undefined || instance === undefined || !isHomeInBucket(run)) return undefined;
  const { bucket = run.bucket } = worker === undefined ? run : workerRun(run, worker);
  return { bucket, instanceId: instance.id };
}

function fileOf({ bucket, instanceId }: Place): string {
  return join(localFolder(), "buckets", `${hashText(`${instanceId} ${bucket.url}`)}.json`);
}
