import type { SecretsHeld } from "./secrets";
import type { RunRecord } from "./transfer/run-record";
import type { RunStatus, Written } from "./types";

/** What came home. */
export interface BroughtHome {
  /** Local folder, absolute; or a URL where all of it is in a bucket. */
  readonly folder: string;
  /** It is in a bucket, verified there, and not on this machine. */
  readonly isInBucket?: true;
  /** Files of the evaluation's metrics there, by path, where it is in a bucket. */
  readonly metrics?: Readonly<Record<string, unknown>>;
  /** Where in it the outputs folder's content lies, absolute. */
  readonly outputs: string;
  readonly status: RunStatus;
  readonly files: number;
  readonly bytes: number;
  /** How many of these files the workload wrote: all but the run's own logs. */
  readonly workloadFiles: number;
  /** Whether one of them looks like a checkpoint. */
  readonly hasCheckpoint: boolean;
  /** Folders of W&B runs that are to be uploaded by hand, relative to `folder`, with / in them. */
  readonly offlineRuns: readonly string[];
  /** What the workload wrote outside of its outputs. */
  readonly written?: Written;
  /** What ran, as the results' record tells it. */
  readonly ran?: RunRecord;
  /** Files that changed while they were read, as a log does while training goes on. */
  readonly unstable: readonly string[];
  /** Which of them hold a secret's value; undefined for a run without secrets. */
  readonly secrets?: SecretsHeld;
}
