import { existsSync, readdirSync } from "node:fs";
import { join, posix } from "node:path";
import { type RecordHead, recordHead } from "../../remote/transfer/results-file";
import { parseSource, sourceOf } from "../../remote/transfer/results-source";
import type { RunStatus } from "../../remote/types";
import { ownLogs } from "../../remote/written";
import type { JobView } from "./stack-view";

/** Verified results of a run that are here. */
export interface ResultsHome {
  /** Absolute. */
  readonly folder: string;
  /** Why they are not all of it, in words. Absent: nothing speaks for that. */
  readonly lacks?: string;
}

/**
 * A run's verified results; null where nothing that the workload wrote is here, or what is here is another run's: of an
 * earlier instance, of other settings, or on other code.
 * @param status What the instance tells of the run. Without it the stack's plan tells.
 */
export function resultsAtHome(
  { resultsFolder, run, instance }: Pick<JobView, "resultsFolder" | "run" | "instance">,
  status?: RunStatus,
): ResultsHome | null {
  if (resultsFolder === undefined || run === undefined) return null;
  const folder = join(resultsFolder, run.experiment);
  if (!existsSync(join(folder, "manifest.json")) || !holdsMoreThanLogs(folder)) return null;
  if (instance === undefined) return { folder };
  const head = recordHead(folder);
  if (!isOf(head, instance.id, run.hash, status)) return null;
  const lacks = status && lackOf(head, status);
  return { folder, ...(lacks === undefined ? {} : { lacks }) };
}

/** Whether a record is of a run, as far as it tells where it comes from. */
function isOf(head: RecordHead | undefined, instanceId: string, hash: string, status: RunStatus | undefined): boolean {
  const from = head === undefined ? undefined : parseSource(head.source);
  if (head === undefined || from === undefined) return true;
  if (from.instance !== instanceId) return false;
  if (status === undefined) return from.hash === undefined || hash.startsWith(from.hash);
  const { source, formerSource } = sourceOf(instanceId, status);
  return head.source === source || head.source === formerSource;
}

/** What of a run came after its results did; undefined where nothing tells. */
function lackOf(head: RecordHead | undefined, { attempt, exitCode, evaluation }: RunStatus): string | undefined {
  const ran = head?.run;
  if (ran === undefined || attempt === undefined) return undefined;
  if (ran.attempt < attempt) return `they are of start ${ran.attempt}, and this is start ${attempt}`;
  const taken = ran.attempts.find(({ number }) => number === attempt);
  if (taken === undefined || (exitCode !== undefined && taken.exitCode === undefined)) {
    return "they were downloaded before training ended";
  }
  const isEvaluated = evaluation?.state === "done" || evaluation?.state === "failed";
  return isEvaluated && taken.evaluation === undefined ? "they were downloaded before its evaluation" : undefined;
}

/** Whether results hold something besides what the run itself has logged. */
export function holdsMoreThanLogs(home: string): boolean {
  const names = (folder: string): string[] => readdirSync(join(home, folder)).map((name) => posix.join(folder, name));
  return names(".").some(
    (name) => name !== "manifest.json" && (name !== "run" || names("run").some((path) => !ownLogs.includes(path))),
  );
}
