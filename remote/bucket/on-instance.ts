import { z } from "zod";
import type { Listener } from "../../local/listener";
import { findSecrets, secretsConfig } from "../../plan/secrets";
import type { BucketPlace, EvaluationPlan, ResultsBucket, RunPlan } from "../../plan/types";
import { type AgentCall, callAgent } from "../agent";
import type { BroughtHome } from "../home";
import { parsePython } from "../metrics-at-home";
import { readStatus } from "../run";
import { bringSecrets, bringSecretsOnce, lookForSecrets } from "../secrets";
import type { SshSession } from "../session";
import { withRetries } from "../transfer/retry";
import { parseRunRecord } from "../transfer/run-record";
import type { SshAccess } from "../types";
import { parseWritten } from "../written";

/** Everything of a run may be on its way. */
const keepSeconds = 12 * 3600;

const keptSchema = z.object({
  url: z.string(),
  files: z.number(),
  bytes: z.number(),
  workloadFiles: z.number(),
  hasCheckpoint: z.boolean(),
  written: z.unknown(),
  /** Whether all of it was compared now, and not at the run's end alone. */
  compared: z.boolean(),
  run: z.unknown(),
  /** Files of the evaluation's metrics: path → text. */
  metrics: z.record(z.string(), z.string()).default({}),
});

/** Which results. */
interface Place {
  readonly instanceId: string;
  readonly access: SshAccess;
  readonly run: RunPlan;
  readonly evaluation?: EvaluationPlan;
}

/** Whom to tell how far it is. */
interface Told extends Listener {
  /** Value of a key of the stack's configuration, decrypted. Default: nothing is known of it. */
  readonly config?: (key: string) => string | undefined;
}

/** Whether an end of the run leaves its results in the bucket alone. */
export function isHomeInBucket(run: RunPlan): run is RunPlan & { readonly bucket: ResultsBucket } {
  return run.bucket?.home === true;
}

/**
 * Has the instance put the results of a run into its bucket, and compare all that is there.
 * @throws SshError with the reason where the bucket isn't reached, or something there is other than on the instance
 */
export async function keepInBucket(place: Place, bucket: ResultsBucket, how: Told): Promise<BroughtHome> {
  const { access, run, instanceId, evaluation } = place;
  const { experiment } = run;
  how.status?.("copying the results to the bucket", bucket.url);
  const document = { experiment, instance: instanceId, bucket: placeOf(bucket), metrics: evaluation?.metrics };
  const text = await withRetries(access, async (session) => {
    await bringAll(session, run, how);
    const what = `Copying the results of ${experiment} to ${bucket.url}`;
    return callAgent(session, { verb: "bucket-keep", document }, what, { timeoutSeconds: keepSeconds });
  });
  const kept = keptSchema.parse(lastLine(text));
  const { files, bytes, workloadFiles, hasCheckpoint } = kept;
  if (!kept.compared)
    how.progress?.(
      `${experiment}: the bucket's keys are neither here nor on the instance, so its results there were not compared again: ` +
        "they were at the run's end, and nothing has changed on the instance since",
    );
  return {
    folder: kept.url,
    outputs: kept.url,
    isInBucket: true,
    metrics: parsed(kept.metrics),
    status: await withRetries(access, (session) => readStatus(session, experiment)),
    files,
    bytes,
    workloadFiles,
    hasCheckpoint,
    offlineRuns: [],
    written: parseWritten(kept.written, access.host),
    ran: parseRunRecord(kept.run),
    unstable: [],
    ...(run.secrets && { secrets: await withRetries(access, (session) => lookForSecrets(session, experiment)) }),
  };
}

function parsed(texts: Readonly<Record<string, string>>): Record<string, unknown> {
  const entries = Object.entries(texts).flatMap(([path, text]): [string, unknown][] => {
    try {
      return [[path, parsePython(text)]];
    } catch {
      return [];
    }
  });
  return Object.fromEntries(entries);
}

/** The instance may still have them. So some of them are worse than none. */
async function bringAll(session: SshSession, { secrets = [] }: RunPlan, { config }: Told): Promise<void> {
  const places = { environment: process.env, configured: config?.(secretsConfig) };
  const { values, problems } = findSecrets(secrets, places);
  if (problems.length === 0) await bringSecrets(session, values);
}

const fetchedSchema = z.object({ folder: z.string(), passed: z.array(z.string()) });

/** Has the instance fetch the newest whole checkpoint of a run from its bucket: into which folder, and what was passed over. */
export async function fetchSnapshot(
  access: SshAccess,
  { experiment, hash }: Pick<RunPlan, "experiment" | "hash">,
  bucket: BucketPlace,
): Promise<z.infer<typeof fetchedSchema>> {
  const call: AgentCall = { verb: "bucket-snapshots", document: { experiment, hash, bucket: placeOf(bucket) } };
  const what = `Fetching a checkpoint from ${bucket.url}`;
  const text = await withRetries(access, (session) => callAgent(session, call, what, { timeoutSeconds: keepSeconds }));
  return fetchedSchema.parse(lastLine(text));
}

/** A trial that lies whole in its bucket, and has ended well. */
const trialsSchema = z.object({
  trials: z.array(
    z.object({
      number: z.number().int().nonnegative(),
      /** Why it was stopped, as one that was pruned. */
      reason: z.string().nullish(),
      values: z.record(z.string(), z.unknown()).nullish(),
      value: z.number().nullish(),
    }),
  ),
});

/**
 * Has an instance look which trials of a sweep lie whole in their bucket.
 * @param bucket Of the sweep's own results.
 * @param secrets The bucket's keys: for this look alone, since no run of that instance may need them any more.
 */
export async function trialsInBucket(
  session: SshSession,
  { experiment, bucket, metric, metrics }: SweepInBucket,
  secrets: Readonly<Record<string, string>>,
): Promise<z.infer<typeof trialsSchema>["trials"]> {
  const once = await bringSecretsOnce(session, secrets);
  const document = { experiment, bucket: placeOf(bucket), metric, metrics, once };
  const what = `Looking for trials of ${experiment} in ${bucket.url}`;
  const text = await callAgent(session, { verb: "bucket-trials", document }, what, { timeoutSeconds: 3600 });
  return trialsSchema.parse(lastLine(text)).trials;
}

/** A sweep whose trials go to a bucket. */
export interface SweepInBucket {
  readonly experiment: string;
  readonly bucket: BucketPlace;
  readonly metric: string;
  /** Glob of the evaluation's files in a trial's outputs. */
  readonly metrics?: string;
}

function placeOf({ url, endpoint, region }: BucketPlace): BucketPlace {
  return { url, endpoint, region };
}

/** What a verb prints at its end. Before that, rclone may have been installed. */
function lastLine(text: string): unknown {
  return JSON.parse(text.trim().split("\n").at(-1) ?? "");
}
