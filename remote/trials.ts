import { join } from "node:path";
import { atMost } from "../local/at-most";
import { bucketFor } from "../plan/bucket";
import type { RunPlan, WorkerPlan } from "../plan/types";
import { callAgent } from "./agent";
import type { BroughtHome } from "./home";
import { endRun, type ResultsPlace } from "./results";
import type { SshSession } from "./session";
import { trialRun } from "./study";
import { withRetries } from "./transfer/retry";

/** Names of the runs that have trained trials of a sweep on an instance, by number. */
export async function trialsThere(session: SshSession, experiment: string): Promise<string[]> {
  const call = { verb: "standing", document: {} };
  const text = await callAgent(session, call, "Looking for trials", { timeoutSeconds: 60 });
  const { experiments } = JSON.parse(text) as { experiments: readonly string[] };
  return experiments.filter((name) => numberOf(name, experiment) !== undefined).toSorted(byNumber(experiment));
}

/** Number of the trial that a run has trained; undefined where it is none of the sweep's. */
export function numberOf(name: string, experiment: string): number | undefined {
  const [head, digits] = [name.slice(0, trialRun(experiment, 0).length - 1), name.slice(experiment.length + 2)];
  return head === `${experiment}-t` && /^\d+$/.test(digits) ? Number(digits) : undefined;
}

function byNumber(experiment: string): (a: string, b: string) => number {
  return (a, b) => (numberOf(a, experiment) ?? 0) - (numberOf(b, experiment) ?? 0);
}

/** Where a worker's own results go, which are its log: it isn't evaluated itself. */
export function workerPlace(place: ResultsPlace, { logs }: WorkerPlan): ResultsPlace {
  const run = workerRun(place.run, { logs });
  return { ...place, run, evaluation: undefined, directory: join(place.directory, logs) };
}

/** A worker's own run, as far as it differs from that of its trials. */
export function workerRun(run: RunPlan, { logs }: Pick<WorkerPlan, "logs">): RunPlan {
  return logs === "" ? run : { ...run, ...bucketOf(run, `${logs}/${run.experiment}`) };
}

/** Where the results of a trial are and go. @param place As its worker's machine has it. */
export function trialPlace(place: ResultsPlace, name: string): ResultsPlace {
  return { ...place, run: asTrial(place.run, name), isTrial: true };
}

/** The run of a trial, by its worker's. */
export function asTrial(run: RunPlan, name: string): RunPlan {
  return { ...run, experiment: name, ...bucketOf(run, name) };
}

/** @param name Of the folder in the bucket, in the place of the experiment's. */
function bucketOf({ bucket }: RunPlan, name: string): Pick<RunPlan, "bucket"> {
  return bucket === undefined ? {} : { bucket: bucketFor(bucket, name) };
}

/** A trial that was ended: what came home of it, undefined where there was nothing to bring; or why it can't come home. */
export type EndedTrial =
  | { readonly place: ResultsPlace; readonly home: BroughtHome | undefined }
  | { readonly place: ResultsPlace; readonly error: Error };

/** Trials that are evaluated and brought home side by side: each evaluation has a GPU of the machine. */
const sideBySide = 4;

/**
 * Ends all trials of a sweep on one instance for good, as {@link endRun} ends a run. Their worker has ended before.
 * @param machine Of the worker: its run and evaluation describe the trials.
 */
export async function endTrials(
  machine: ResultsPlace,
  reason: string,
  listener: Parameters<typeof endRun>[2],
): Promise<EndedTrial[]> {
  const { access, run } = machine;
  const names = await withRetries(access, (session) => trialsThere(session, run.experiment));
  const inTurn = atMost(sideBySide);
  const ending = names.map((name) =>
    inTurn(async (): Promise<EndedTrial> => {
      const place = trialPlace(machine, name);
      try {
        return { place, home: await endRun(place, reason, listener) };
      } catch (error) {
        return { place, error: error as Error };
      }
    }),
  );
  return Promise.all(ending);
}
