import { join } from "node:path";
import { recordHead } from "../../remote/transfer/results-file";
import { parseSource } from "../../remote/transfer/results-source";
import { notedInBucket } from "./in-bucket";
import type { Seen, SeenJob } from "./seen";
import type { JobView } from "./stack-view";

/** Why machines of one training stopped where another one didn't answer (`scripts/agent/nodes/watch.py`). */
const lostReason = "node lost";

/**
 * Which of a stack's jobs an `up` would bring back: their machine is gone before its run had ended, or their training was
 * stopped because another machine was lost. None after an end that was wanted: a limit, a stop, a finished run.
 * @param terminatesItself Whether instances of the stack may have ended by themselves, after the end of their runs.
 */
export function lossesIn({ jobs }: Pick<Seen, "jobs">, terminatesItself: boolean): readonly SeenJob[] {
  const isStopped = jobs.some(isStoppedByLoss);
  const lost = jobs.filter((each) => isStoppedByLoss(each) || isGone(each, terminatesItself && !isStopped));
  const others = jobs.filter((each) => !lost.includes(each));
  const isWanted = jobs.some(({ outcome }) => outcome === "limit") || others.some(isStoppedOnPurpose);
  return isWanted || isOver(others) ? [] : lost;
}

function isStoppedByLoss({ status }: SeenJob): boolean {
  return status?.state === "stopped" && status.stopReason === lostReason;
}

/** What is billed beside it may be adopted by an `up` that somebody else runs. */
function isGone({ gone, strays, job }: SeenJob, mayBeWanted: boolean): boolean {
  return gone && strays.length === 0 && job.run !== undefined && !mayBeWanted && !hasEndedAtHome(job);
}

function isStoppedOnPurpose(each: SeenJob): boolean {
  return each.status?.state === "stopped" && !isStoppedByLoss(each);
}

/** Whether what is left of a stack has done all there was to do: its first rank, or every worker of its sweep. */
function isOver(others: readonly SeenJob[]): boolean {
  const told = others.filter(({ job }) => (job.run?.node?.rank ?? 0) === 0);
  return told.length > 0 && told.every(({ status }) => status?.state === "finished");
}

/** Whether the newest results at home, or in a bucket that counts as home, are of a run on that instance that had ended. */
export function hasEndedAtHome(job: JobView): boolean {
  const { resultsFolder, run, instance } = job;
  const inBucket = notedInBucket(job);
  if (inBucket?.exitCode !== undefined) return inBucket.stopReason !== lostReason;
  const head =
    resultsFolder === undefined || run === undefined ? undefined : recordHead(join(resultsFolder, run.experiment));
  if (head === undefined || parseSource(head.source)?.instance !== instance?.id) return false;
  const last = head.run?.attempts.at(-1);
  return last?.exitCode !== undefined && last.stopReason !== lostReason;
}
