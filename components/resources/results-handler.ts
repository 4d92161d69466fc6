import { join, relative } from "node:path";
import { openWay } from "../../lambda/account/way";
import { isGone, statusOrGone } from "../../lambda/life/presence";
import { findSecrets, secretsConfig } from "../../plan/secrets";
import type { EvaluationPlan, ResultsBucket, RunPlan, WorkerPlan } from "../../plan/types";
import { leftInBucket } from "../../remote/bucket/left";
import { isHomeInBucket } from "../../remote/bucket/on-instance";
import type { BroughtHome } from "../../remote/home";
import { endJobs } from "../../remote/jobs";
import {
  destroyReason,
  endRun,
  homeText,
  loseResultsVariable,
  missedText,
  type ResultsPlace,
  requireResults,
  wroteNothing,
} from "../../remote/results";
import { secretsText } from "../../remote/secrets";
import { endTrials, workerPlace } from "../../remote/trials";
import { syncLines } from "../../remote/wandb-runs";
import { elsewhereLines, filesText } from "../../remote/written";
import { diffByName, sameValue } from "../dynamic/diff";
import type { DynamicHandler, HandlerContext } from "../dynamic/handler";
import { connect } from "./cloud";
import { localPath, type OnInstance } from "./place";
import { noteEnded, noteInBucket, noteUnseen } from "./run-notes";

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

/** Results that were seen to; `home`: undefined where there was nothing to bring. */
interface SeenTo {
  readonly place: ResultsPlace;
  readonly home: BroughtHome | undefined;
}

/** Results that didn't come home. */
interface FailedHome {
  readonly place: ResultsPlace;
  readonly error: Error;
}

/** Brings the results home, or says why the instance must not be terminated yet. */
async function secure(props: Outputs, context: HandlerContext): Promise<void> {
  const ended = await broughtHome(props, context).catch((error: Error) => [{ place: placeOf(props), error }]);
  const failed = ended.flatMap((each) => ("error" in each ? [each] : []));
  const seen = ended.flatMap((each) => ("home" in each ? [each] : []));
  for (const each of seen) tellOf(props, each, context);
  if (failed.length > 0 && (await isLost(props, context))) return;
  if (process.env[loseResultsVariable] === props.run.experiment) giveUp(props, { failed, seen }, context);
  else requireAll(props, { failed, seen });
}

function placeOf(props: Outputs): ResultsPlace {
  return { ...props, directory: localPath(props.directory) };
}

/** Ends the run, or all trials of a worker, and brings home what each has left. */
async function broughtHome(props: Outputs, context: HandlerContext): Promise<readonly (SeenTo | FailedHome)[]> {
  const place = placeOf(props);
  // A destroy by the Pulumi CLI alone has not been let in yet.
  await openWay({ ...props, id: props.instanceId }, () => connect(props.endpoint, context), context.progress);
  const { worker } = props;
  const home = await endRun(worker === undefined ? place : workerPlace(place, worker), destroyReason, context);
  const jobs = await endJobs(place, home?.status ?? {}, destroyReason, context);
  if (worker === undefined) return [{ place, home }, ...jobs];
  const trials = await endTrials(place, destroyReason, context);
  return home === undefined && trials.length === 0 ? [{ place, home }] : [...trials, ...jobs];
}

/** Whether the instance is gone, and with it what didn't come home. */
async function isLost(props: Outputs, context: HandlerContext): Promise<boolean> {
  const { instanceId, endpoint, access, run } = props;
  // The address may belong to another machine by now. So any failure is a reason to ask whether ours still exists.
  const status = await statusOrGone(connect(endpoint, context), { id: instanceId }, access.privateKey).catch(
    () => undefined,
  );
  if (!isGone(status)) return false;
  if (isHomeInBucket(run) && (await areInBucket(props, run.bucket, context))) return true;
  noteUnseen(instanceId, run.experiment, "lost");
  const others =
    run.bucket === undefined ? "" : `, and what is in ${run.bucket.url} (npm run results -- --from-bucket)`;
  context.progress(
    `${run.experiment}: instance ${instanceId} is gone; only the results downloaded before remain${others}`,
  );
  return true;
}

/** Whether results of a gone instance's runs are in their bucket, verified from here; notes them for the bill. */
async function areInBucket(
  props: Outputs,
  bucket: ResultsBucket,
  { config, progress }: HandlerContext,
): Promise<boolean> {
  const { instanceId, run, worker, evaluation } = props;
  const { values } = findSecrets(run.secrets ?? [], { environment: process.env, configured: config(secretsConfig) });
  try {
    const found = await leftInBucket({ instanceId, bucket, isWorker: worker !== undefined, evaluation }, values);
    for (const { experiment, seen } of found) {
      noteInBucket(instanceId, experiment, seen);
      progress(`${experiment}: ${filesText(seen.files, seen.bytes)} verified in ${seen.url}`);
    }
    if (found.length > 0)
      progress(`${run.experiment}: instance ${instanceId} is gone; besides, only the results downloaded before remain`);
    return found.length > 0;
  } catch (error) {
    progress(
      `WARNING: what instance ${instanceId} has left in ${bucket.url} wasn't looked at: ${(error as Error).message}`,
    );
    return false;
  }
}

/** How the runs of an instance ended. */
interface EndedHere {
  readonly failed: readonly FailedHome[];
  readonly seen: readonly SeenTo[];
}

/** @throws Error that says what would be lost, and what to do */
function requireAll({ instanceId, run }: Outputs, { failed, seen }: EndedHere): void {
  const [first] = failed;
  if (first !== undefined) {
    const names = failed.map(({ place }) => place.run.experiment).join(", ");
    throw new Error(
      `Couldn't ${isHomeInBucket(run) ? "put" : "download"} the results of ${names}${isHomeInBucket(run) ? ` into ${run.bucket.url}` : ""}, so instance ${instanceId} keeps running and billing. ` +
        `${first.error.message} ` +
        "Fix this and destroy again; `npm run results` tries the download alone. To give up what can't be downloaded: " +
        `\`npm run down -- --lose-results\`, or ${loseResultsVariable}=${run.experiment} for \`pulumi destroy\`.`,
      { cause: first.error },
    );
  }
  // A job need not leave anything.
  for (const { place, home } of seen) if (home !== undefined && place.isJob !== true) requireResults(place, home);
}

/** Goes on without what didn't come home, and says what that is. */
function giveUp({ instanceId }: Outputs, { failed, seen }: EndedHere, { interrupted, progress }: HandlerContext): void {
  // Who interrupts a destroy gives nothing up.
  if (failed.length > 0) interrupted.throwIfAborted();
  const asked = `as asked for by --lose-results or ${loseResultsVariable}`;
  for (const { place, error } of failed) {
    const { experiment } = place.run;
    noteUnseen(instanceId, experiment, "left behind");
    progress(`${experiment} on instance ${instanceId}: results given up, ${asked}. ${error.message}`);
  }
  for (const { place, home } of seen) {
    const loss = home && missedText(place, home);
    if (loss !== undefined)
      progress(`${place.run.experiment} on instance ${instanceId}: results given up, ${asked}: ${loss}`);
  }
}

/** Tells of a run whose results were seen to. */
function tellOf({ instanceId, directory }: Outputs, { place, home }: SeenTo, { progress }: HandlerContext): void {
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
  const folder = home.isInBucket === true ? home.folder : join(directory, relative(localPath(directory), home.folder));
  progress(`${experiment}: ${homeText(home, folder)}`);
  if (wroteNothing(home)) {
    progress(`${experiment} ended before its first step and wrote nothing, so nothing is lost`);
  }
  const lines = [...elsewhereLines(home.written), ...syncLines(home.offlineRuns, home.folder, folder)];
  for (const line of lines) progress(`${experiment}: ${line}`);
  const secrets = secretsText(home.secrets);
  if (secrets !== undefined) progress(`WARNING: ${experiment}: ${secrets}`);
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
