import { differences, heldPlan, isRestartAsked, type StandingPlan, standingOf } from "../../plan/standing";
import type { Plan, PlannedRun, RunPlan } from "../../plan/types";
import { jobsGoingOn } from "../../remote/jobs";
import { bringHome, endRun, homeText, loseResultsVariable, type ResultsPlace } from "../../remote/results";
import { goOn, hasEnded, keepApart, readStatus } from "../../remote/run";
import { type StandsOn, standsHash } from "../../remote/scripts";
import type { SshSession } from "../../remote/session";
import { lookAtStanding, otherThan } from "../../remote/standing";
import type { RunStatus } from "../../remote/types";
import { diffByName } from "../dynamic/diff";
import type { DynamicHandler, HandlerContext } from "../dynamic/handler";
import { isUnreachable, localPath, look, type OnInstance } from "./place";
import { endJobsBeside, jobsWaitedFor, reachesJobs } from "./standing-jobs";

interface Inputs extends OnInstance {
  readonly onChange: Plan["onChange"];
  readonly plan: StandingPlan;
}

interface Outputs extends Inputs {
  /** Hashes of the runs for which a restart was asked for last. */
  readonly restarted?: string;
}

/** A run of the old plan, as it is now. */
interface SeenRun {
  readonly planned: PlannedRun;
  readonly status: RunStatus;
}

/** Applies the next plan, or keeps the old one in force as far as running runs depend on it. */
async function takeOver(old: StandingPlan, inputs: Inputs, context: HandlerContext): Promise<Inputs> {
  const changed = differences(old, inputs.plan);
  const asked = isRestartAsked();
  // Limits, evaluation and dashboard reach a running run.
  if (changed.length === 0 && !asked) return inputs;
  const held = heldPlan(old, inputs.plan);
  context.status("looking at the run");
  const seen = await look(inputs.access, (session) => seenRuns(session, held.runs));
  if (changed.length === 0) {
    for (const each of seen) await goOnAsAsked(each, inputs, context);
    return inputs;
  }
  const going = seen.filter(({ status }) => !hasEnded(status.state));
  const restarts = asked || inputs.onChange === "restart";
  const jobs = changed.some(reachesJobs) ? seen.flatMap(({ status }) => jobsGoingOn(status)) : [];
  if (going.length === 0 && jobs.length > 0 && !restarts) {
    context.progress(jobsWaitedFor(jobs, changed));
    return { ...inputs, plan: held };
  }
  if (going.length > 0 && !restarts) {
    for (const { status } of going) context.progress(waitingText(status, changed));
    return { ...inputs, plan: held };
  }
  for (const { planned, status } of seen) {
    const place = placeOf(held, planned, inputs);
    if (changed.some(reachesJobs)) await endJobsBeside(place, status, context);
    if (!hasEnded(status.state)) await restart(place, context);
    else if (planned.run.experiment !== runIn(inputs.plan, planned)?.experiment) await endRenamed(place, context);
    else {
      // Also of one that stays finished: it may have written into the code or the data, which change now.
      await keepEnded(place, context, keptApartFrom(inputs.plan, planned));
      await goOnAsAsked({ planned, status }, inputs, context);
    }
  }
  return inputs;
}

/** The runs of a plan that were ever started. */
async function seenRuns(session: SshSession, runs: readonly PlannedRun[]): Promise<SeenRun[]> {
  const seen: SeenRun[] = [];
  for (const planned of runs) seen.push({ planned, status: await readStatus(session, planned.run.experiment) });
  return seen.filter(({ status }) => status.state !== "absent");
}

function waitingText({ experiment, state }: RunStatus, changed: readonly string[]): string {
  const doing = state === "evaluating" ? "is being evaluated" : "is running";
  return (
    `${experiment} ${doing}, so these changes wait: ${changed.join(", ")}. Nothing under the run was touched. ` +
    "To apply them after the run: `npm run wait`, then `npm run up`. To apply them now: `npm run up -- --restart` " +
    "stops the run at a checkpoint, evaluates, downloads the results and starts it again."
  );
}

/** @param asked What was asked for, of which a part may be in force alone. */
function noted(inForce: Inputs, asked: Inputs): Outputs {
  return isRestartAsked() ? { ...inForce, restarted: hashesOf(asked) } : inForce;
}

function hashesOf({ plan }: Inputs): string {
  return plan.runs.map(({ run }) => run.hash).join(" ");
}

/** The run of a plan by the name of one of the plan before; undefined where it is no longer asked for. */
function runIn({ runs }: StandingPlan, { name }: PlannedRun): RunPlan | undefined {
  return runs.find((each) => each.name === name)?.run;
}

/** A finished run that starts with another configuration begins anew, unless somebody has asked for more of it. */
async function goOnAsAsked(
  { planned, status }: SeenRun,
  { plan, access }: Inputs,
  context: HandlerContext,
): Promise<void> {
  const next = runIn(plan, planned);
  if (status.state !== "finished" || next === undefined) return;
  // Of a config that setup makes, only the instance knows whether it is another.
  const isSame = next.hash === status.hash;
  if (isSame && (next.madeConfig === undefined || !isRestartAsked())) return;
  const { experiment, hash } = next;
  if (experiment !== status.experiment) return;
  if (isRestartAsked()) await look(access, (session) => goOn(session, experiment, hash));
  else context.progress(emptiedText(experiment));
}

function emptiedText(experiment: string): string {
  return (
    `${experiment} had finished, and its configuration is another: it starts with empty outputs. Next time, ` +
    "`npm run up -- --restart` goes on from the last checkpoint instead."
  );
}

function placeOf({ workload, results }: StandingPlan, { run, evaluation }: PlannedRun, inputs: Inputs): ResultsPlace {
  const { instanceId, access } = inputs;
  return { instanceId, access, run, evaluation, workspace: workload.name, directory: localPath(results.directory) };
}

/** Ends a running run, on the code and data that it depends on, and downloads its results. Fails if it can't. */
async function restart(place: ResultsPlace, context: HandlerContext): Promise<void> {
  const { experiment } = place.run;
  context.progress(`${experiment}: stopping it to start it again with the changes`);
  // Before the stop: if the results can't be stored here, the run keeps running.
  await bringHome(place, context).catch((error: Error) => {
    throw new Error(`Couldn't download the results of ${experiment}, so the run keeps running. ${error.message}`, {
      cause: error,
    });
  });
  try {
    const home = await endRun(place, "restart", context);
    if (home !== undefined) context.progress(`${experiment}: ${homeText(home, home.folder)}`);
  } catch (error) {
    throw new Error(
      `Couldn't restart ${experiment}: its results can't be downloaded, so nothing was changed. ` +
        `${(error as Error).message} Fix this and run \`npm run up -- --restart\` again.`,
      { cause: error },
    );
  }
}

/** Completes an ended experiment before another replaces it: later, its evaluation would use other code and data. */
async function endRenamed(place: ResultsPlace, context: HandlerContext): Promise<void> {
  // It is left behind by the guard of its results as well.
  if (process.env[loseResultsVariable] === place.run.experiment) return;
  const home = await endRun(place, "restart", context);
  if (home !== undefined) context.progress(`${place.run.experiment}: ${homeText(home, home.folder)}`);
}

/** What the run stands on next; undefined where it is no longer asked for. */
function keptApartFrom(next: StandingPlan, planned: PlannedRun): StandsOn | undefined {
  const run = runIn(next, planned);
  return run && { hash: run.hash, stands: standsHash(next) };
}

/**
 * Brings home what an ended run has left, before anything under it changes or another attempt writes into the same folder.
 * Where that fails the instance keeps it apart from what comes.
 */
async function keepEnded(place: ResultsPlace, context: HandlerContext, next: StandsOn | undefined): Promise<void> {
  const { experiment } = place.run;
  try {
    const home = await bringHome(place, context);
    if (home !== undefined) context.progress(`${experiment}: ${homeText(home, home.folder)}`);
  } catch (error) {
    if (isUnreachable(error)) throw error;
    if (next !== undefined) await look(place.access, (session) => keepApart(session, experiment, next));
    context.progress(
      `${experiment}: couldn't download its results (${(error as Error).message}); the instance keeps them beside those of the next attempt`,
    );
  }
}

/**
 * Looks at an instance whose plan is unknown, as after an `up` of a release that kept none. Fails if a running run
 * depends on something else.
 */
async function firstLook(inputs: Inputs, context: HandlerContext): Promise<void> {
  const { plan, access, instanceId } = inputs;
  const seen = await look(access, (session) => lookAtStanding(session, plan));
  const going = seen.runs.find(({ state }) => !hasEnded(state));
  if (going !== undefined) {
    const changed = otherThan(plan, seen, going);
    if (changed.length === 0) return;
    throw new Error(
      `${going.experiment} still runs on instance ${instanceId}, and ${changed.join(", ")} would change under it. Nothing was ` +
        "changed. Wait for its end (`npm run wait`) or stop it at a checkpoint (`npm run stop`), then run `npm run up` again.",
    );
  }
  for (const planned of plan.runs) {
    const ended = seen.runs.find(({ experiment }) => experiment === planned.run.experiment);
    if (ended !== undefined && ended.hash !== planned.run.hash)
      await keepEnded(placeOf(plan, planned, inputs), context, keptApartFrom(plan, planned));
  }
}

/** Life of the plan that is in force on an instance. */
export const handler: DynamicHandler<Inputs, Outputs> = {
  diff: (_id, olds, news) => {
    const diff = diffByName({ ...olds, plan: standingOf(olds.plan) }, news, {
      replace: ["instanceId"],
      update: ["access", "onChange", "plan"],
    });
    // Asked for again after an `up` that was not asked for it: that may have failed before the start.
    return { ...diff, changes: diff.changes || (isRestartAsked() && olds.restarted !== hashesOf(news)) };
  },
  create: async (inputs, context) => {
    await firstLook(inputs, context);
    return { id: inputs.instanceId, outs: noted(inputs, inputs) };
  },
  update: async (_id, olds, news, context) => noted(await takeOver(standingOf(olds.plan), news, context), news),
};
