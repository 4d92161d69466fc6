import { differences, heldPlan, restartVariable, type StandingPlan } from "../../plan/standing";
import type { Plan } from "../../plan/types";
import { bringHome, endRun, homeText, loseResultsVariable, type ResultsPlace } from "../../remote/results";
import { hasEnded, readStatus } from "../../remote/run";
import { lookAtStanding, otherThan } from "../../remote/standing";
import type { RunStatus } from "../../remote/types";
import { diffByName } from "../dynamic/diff";
import type { DynamicHandler, HandlerContext } from "../dynamic/handler";
import { isUnreachable, localPath, look, type OnInstance } from "./place";

interface Inputs extends OnInstance {
  readonly onChange: Plan["onChange"];
  readonly plan: StandingPlan;
}

/** Applies the next plan, or keeps the old one in force as far as a running run depends on it. */
async function takeOver(old: StandingPlan, inputs: Inputs, context: HandlerContext): Promise<Inputs> {
  const changed = differences(old, inputs.plan);
  // Limits, evaluation and dashboard reach a running run.
  if (changed.length === 0) return inputs;
  const held = heldPlan(old, inputs.plan);
  context.status("looking at the run");
  const status = await look(inputs.access, (session) => readStatus(session, old.run.experiment));
  if (status.state === "absent") return inputs;
  const restarts = inputs.onChange === "restart" || (process.env[restartVariable] ?? "") !== "";
  if (!hasEnded(status.state)) {
    if (!restarts) {
      context.progress(waitingText(held.run.experiment, status, changed));
      return { ...inputs, plan: held };
    }
    await restart(placeOf(held, inputs), context);
  } else if (old.run.experiment !== inputs.plan.run.experiment) {
    await endRenamed(placeOf(held, inputs), context);
  } else if (status.state !== "finished" || status.hash !== inputs.plan.run.hash) {
    await keepEnded(placeOf(held, inputs), context);
  }
  return inputs;
}

function waitingText(experiment: string, { state }: RunStatus, changed: readonly string[]): string {
  const doing = state === "evaluating" ? "is being evaluated" : "is running";
  return (
    `${experiment} ${doing}, so these changes wait: ${changed.join(", ")}. Nothing under the run was touched. ` +
    "To apply them after the run: `npm run wait`, then `npm run up`. To apply them now: `npm run up -- --restart` " +
    "stops the run at a checkpoint, evaluates, downloads the results and starts it again."
  );
}

function placeOf({ run, evaluation, workload, results }: StandingPlan, inputs: Inputs): ResultsPlace {
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

/** Brings home what an ended run has left, before another attempt writes into the same folder. */
async function keepEnded(place: ResultsPlace, context: HandlerContext): Promise<void> {
  const { experiment } = place.run;
  try {
    const home = await bringHome(place, context);
    if (home !== undefined) context.progress(`${experiment}: ${homeText(home, home.folder)}`);
  } catch (error) {
    if (isUnreachable(error)) throw error;
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
  const ended = seen.runs.find(({ experiment }) => experiment === plan.run.experiment);
  if (ended !== undefined && ended.hash !== plan.run.hash) await keepEnded(placeOf(plan, inputs), context);
}

/** Life of the plan that is in force on an instance. */
export const handler: DynamicHandler<Inputs, Inputs> = {
  diff: (_id, olds, news) =>
    diffByName(olds, news, { replace: ["instanceId"], update: ["access", "onChange", "plan"] }),
  create: async (inputs, context) => {
    await firstLook(inputs, context);
    return { id: inputs.instanceId, outs: inputs };
  },
  update: (_id, olds, news, context) => takeOver(olds.plan, news, context),
};
