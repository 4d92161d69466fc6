import type { Listener } from "../../local/listener";
import type { BroughtHome } from "../../remote/home";
import { bringHome } from "../../remote/results";
import { hasEnded, readStatus } from "../../remote/run";
import { withSession } from "../../remote/session";
import { asTrial, numberOf, trialsThere } from "../../remote/trials";
import type { RunStatus } from "../../remote/types";
import { withJobs } from "../beside/jobs";
import { ofEach } from "../stack/of-each";
import { stackView } from "../stack/read";
import { resultsAtHome } from "../stack/results-home";
import {
  isWithRun,
  type JobView,
  jobsOf,
  type RunView,
  resultsPlace,
  type StackView,
  type WithRun,
} from "../stack/stack-view";

/** A run that is the worker of a sweep, with an instance that can be spoken to. */
export type WithWorker = WithRun & Required<Pick<RunView, "worker">>;

/** Whether a job is a sweep's worker that can be spoken to. */
export function isWorker(job: JobView): job is WithWorker {
  return job.worker !== undefined && isWithRun(job);
}

/** The job of a worker's trial, by the name of its run. */
export function trialOf(worker: WithWorker, name: string): WithRun {
  return { ...worker, name, run: asTrial(worker.run, name), worker: undefined, isTrial: true };
}

/**
 * A stack's view, with a trial or a job as one more run where one is asked for. The state doesn't know them: the machines
 * are asked.
 * @param stack As somebody has given it, if at all; `name` is a run's.
 */
export async function viewWithTrial(stack: string | undefined, name: string | undefined): Promise<StackView> {
  const view = await stackView(stack);
  if (name === undefined || view.runs.some((run) => run.name === name || run.run.experiment === name)) return view;
  const workers = jobsOf(view)
    .filter(isWorker)
    .filter(({ run }) => numberOf(name, run.experiment) !== undefined);
  const found = await ofEach(workers, async (worker) => {
    const there = await withSession(worker.access, (session) => trialsThere(session, worker.run.experiment));
    return there.includes(name) ? [trialOf(worker, name)] : [];
  });
  const trials = found.flat();
  return trials.length > 0 ? { ...view, runs: [...view.runs, ...trials] } : withJobs(view, name);
}

/** A trial on a machine, and how it is there. */
export interface SeenTrial {
  readonly trial: WithRun;
  readonly status: RunStatus;
}

/** The trials that a worker has started on its machine. */
export function seenTrials(worker: WithWorker): Promise<SeenTrial[]> {
  return withSession(worker.access, async (session) => {
    const names = await trialsThere(session, worker.run.experiment);
    const seen: SeenTrial[] = [];
    for (const name of names) seen.push({ trial: trialOf(worker, name), status: await readStatus(session, name) });
    return seen;
  });
}

/** Brings home what a worker's trials have come to that have ended, and whose results are not here yet. */
export async function bringEndedHome(worker: WithWorker, listener: Listener): Promise<BroughtHome[]> {
  const seen = await seenTrials(worker);
  const due = seen.filter(({ trial, status }) => {
    const home = resultsAtHome(trial, status);
    return hasEnded(status.state) && (home === null || home.lacks !== undefined);
  });
  const homes = await Promise.all(due.map(({ trial }) => bringHome(resultsPlace(trial), listener)));
  return homes.filter((home) => home !== undefined);
}
