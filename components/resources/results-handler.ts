import { join, relative } from "node:path";
import { openWay } from "../../lambda/account/way";
import { isGone, statusOrGone } from "../../lambda/life/presence";
import type { EvaluationPlan, RunPlan, WorkerPlan } from "../../plan/types";
import {
  type BroughtHome,
  endRun,
  homeText,
  loseResultsVariable,
  type ResultsPlace,
  requireResults,
  wroteNothing,
} from "../../remote/results";
import { endTrials, workerPlace } from "../../remote/trials";
import { syncLines } from "../../remote/wandb-runs";
import { elsewhereLines } from "../../remote/written";
import { diffByName, sameValue } from "../dynamic/diff";
import type { DynamicHandler, HandlerContext } from "../dynamic/handler";
import { connect } from "./cloud";
import { localPath, type OnInstance } from "./place";
import { noteEnded, noteUnseen } from "./run-notes";

interface Inputs extends OnInstance {
  readonly endpoint: string;
  readonly run: RunPlan;
  readonly evaluation?: EvaluationPlan;
  readonly worker?: WorkerPlan;
  readonly workspace: string;
  readonly directory: string;
}

interface Outputs extends Inputs {
  readonly folder: string;
}

function outputs(inputs: Inputs): Outputs {
  return { ...inputs, folder: join(inputs.directory, inputs.run.experiment) };
}

/** Brings the results home, or says why the instance must not be terminated yet. */
async function secure(props: Outputs, context: HandlerContext): Promise<void> {
  const { experiment } = props.run;
  if (process.env[loseResultsVariable] === experiment) {
    noteUnseen(props.instanceId, experiment, "left behind");
    return context.progress(
      `${experiment}: results given up, as asked for by --lose-results or ${loseResultsVariable}`,
    );
  }
  const place = { ...props, directory: localPath(props.directory) };
  let homes: { readonly place: ResultsPlace; readonly home: BroughtHome | undefined }[];
  try {
    // A destroy by the Pulumi CLI alone has not been let in yet.
    await openWay({ ...props, id: props.instanceId }, () => connect(props.endpoint, context), context.progress);
    const { worker } = props;
    const home = await endRun(worker === undefined ? place : workerPlace(place, worker), "destroy", context);
    homes = worker === undefined ? [{ place, home }] : await endTrials(place, "destroy", context);
    if (home === undefined && homes.length === 0) homes = [{ place, home }];
    for (const each of homes) tellOf(props, each, context);
  } catch (error) {
    // The address may belong to another machine by now. So any failure is a reason to ask whether ours still exists.
    const { endpoint, instanceId, access } = props;
    const status = await statusOrGone(connect(endpoint, context), { id: instanceId }, access.privateKey).catch(
      () => undefined,
    );
    if (isGone(status)) {
      noteUnseen(props.instanceId, experiment, "lost");
      return context.progress(
        `${experiment}: instance ${props.instanceId} is gone; only the results downloaded before remain`,
      );
    }
    throw new Error(
      `Couldn't download the results of ${experiment}, so instance ${props.instanceId} keeps running and billing. ` +
        `${(error as Error).message} ` +
        "Fix this and destroy again; `npm run results` tries the download alone. To give the results up: " +
        `\`npm run down -- --lose-results\`, or ${loseResultsVariable}=${experiment} for \`pulumi destroy\`.`,
      { cause: error },
    );
  }
  for (const { place: of, home } of homes) if (home !== undefined) requireResults(of, home);
}

/** Tells of a run whose results were seen to. */
function tellOf(
  { instanceId, directory }: Outputs,
  { place, home }: { readonly place: ResultsPlace; readonly home: BroughtHome | undefined },
  { progress }: HandlerContext,
): void {
  const { experiment } = place.run;
  if (home === undefined) {
    noteUnseen(instanceId, experiment, "never started");
    progress(`${experiment} was never started, so there are no results`);
    return;
  }
  noteEnded(place, home);
  if (home.status.state === "absent") {
    progress(`${experiment} was never started, but files were written there since setup, as by exec or a notebook`);
  }
  const folder = join(directory, relative(localPath(directory), home.folder));
  progress(`${experiment}: ${homeText(home, folder)}`);
  if (wroteNothing(home)) {
    progress(`${experiment} ended before its first step and wrote nothing, so nothing is lost`);
  }
  const lines = [...elsewhereLines(home.written), ...syncLines(home.offlineRuns, home.folder, folder)];
  for (const line of lines) progress(`${experiment}: ${line}`);
}

/** Life of the guard of an experiment's results: its deletion is what brings them home. */
export const handler: DynamicHandler<Inputs, Outputs> = {
  diff: (_id, olds, news) => {
    const diff = diffByName(olds, news, {
      replace: ["instanceId"],
      update: ["access", "run", "evaluation", "worker", "workspace", "directory", "endpoint"],
    });
    const renamed = !sameValue(olds.run.experiment, news.run?.experiment);
    return {
      ...diff,
      changes: diff.changes || renamed,
      replaces: [...(diff.replaces ?? []), ...(renamed ? ["run"] : [])],
    };
  },
  create: async (inputs) => ({ id: `${inputs.instanceId}:${inputs.run.experiment}`, outs: outputs(inputs) }),
  update: async (_id, _olds, news) => outputs(news),
  delete: (_id, props, context) => secure(props, context),
};
