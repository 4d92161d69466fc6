import { isDeepStrictEqual } from "node:util";
import {
  type MachinePlan,
  onlyMachine,
  onlyRun,
  type PlannedRun,
  type ResultsPlan,
  type RunPlan,
  type WorkerPlan,
} from "./types";

/** The environment variable that lets an `up` with changes stop a running run and start it again with them. */
export const restartVariable = "LAMBDA_TRAIN_RESTART";

/** Whether somebody has asked for that. */
export function isRestartAsked(): boolean {
  return (process.env[restartVariable] ?? "") !== "";
}

/** The parts of a plan that live on one machine. Local paths in it are as the state holds them. */
export interface StandingPlan extends Pick<MachinePlan, "workload" | "dataset" | "environment" | "gate"> {
  /** The runs that train there. */
  readonly runs: readonly PlannedRun[];
  readonly results: ResultsPlan;
}

/** What may be another, in words, and whether it is. */
type Difference = [words: string, isOther: boolean];

/** The same as releases kept it that knew one run a machine. */
type OneRunPlan = Omit<StandingPlan, "runs"> & Omit<PlannedRun, "name" | "machine">;

/** A plan as any release has kept it. */
export function standingOf(kept: StandingPlan | OneRunPlan): StandingPlan {
  if ("runs" in kept) return kept;
  const { run, evaluation, dashboard, ...rest } = kept;
  return { ...rest, runs: [{ name: onlyRun, machine: onlyMachine, run, evaluation, dashboard }] };
}

/**
 * What runs depend on that differs in the next plan, in words: code, data, environment, configuration. Empty if running
 * runs can take over the next plan as it is (limits, evaluation, dashboard, gate, more runs).
 */
export function differences(old: StandingPlan, next: StandingPlan): string[] {
  // A rendered configuration is a file among the code, named after the experiment.
  const rendered = !isDeepStrictEqual(old.workload.extraFiles, next.workload.extraFiles);
  const found: Difference[] = [
    ...each<Difference>(old, next, ({ run }, other) =>
      other === undefined
        ? [`the run ${run.experiment}, which is no longer asked for`, true]
        : [`the experiment's name (${run.experiment}, now ${other.run.experiment})`, isRenamed(run, other.run)],
    ),
    ["the code", !rendered && old.workload.hash !== next.workload.hash],
    ...each<Difference>(old, next, ({ run }, other, of) => {
      const same = other !== undefined && !isRenamed(run, other.run);
      return [`the configuration${of}`, same && (rendered || run.hash !== other.run.hash)];
    }),
    ...each<Difference>(old, next, ({ worker }, other, of) => [
      `how many trials a machine runs at a time${of}`,
      worker !== undefined && other?.worker !== undefined && !isDeepStrictEqual(slotsOf(worker), slotsOf(other.worker)),
    ]),
    ["the dataset", !isDeepStrictEqual(placedDataset(old), placedDataset(next))],
    ["the environment", old.environment.hash !== next.environment.hash],
    ["the workspace's name", old.workload.name !== next.workload.name],
    ...each<Difference>(old, next, ({ run }, other, of) => [
      `the outputs' folder${of}`,
      other !== undefined && run.outputs !== other.run.outputs,
    ]),
  ];
  return found.flatMap(([words, isOther]) => (isOther ? [words] : []));
}

/** Calls back for each run of the old plan with that of the next one, and with words that name it where there are several. */
function each<T>(
  old: StandingPlan,
  next: StandingPlan,
  tell: (run: PlannedRun, other: PlannedRun | undefined, of: string) => T,
): T[] {
  return old.runs.map((run) =>
    tell(
      run,
      next.runs.find(({ name }) => name === run.name),
      old.runs.length > 1 ? ` of ${run.run.experiment}` : "",
    ),
  );
}

function isRenamed(run: RunPlan, other: RunPlan): boolean {
  return run.experiment !== other.experiment;
}

/** The next plan as far as running runs can take it over: everything that they depend on stays the old one. */
export function heldPlan(old: StandingPlan, next: StandingPlan): StandingPlan {
  return {
    workload: old.workload,
    dataset: old.dataset,
    environment: old.environment,
    gate: old.gate,
    runs: old.runs.map((run) =>
      heldRun(
        run,
        next.runs.find(({ name }) => name === run.name),
      ),
    ),
    results: next.results,
  };
}

function heldRun(old: PlannedRun, next: PlannedRun = old): PlannedRun {
  const {
    experiment,
    command,
    processes,
    cluster,
    node,
    directory,
    variables,
    madeConfig,
    overriddenConfig,
    outputs,
    hash,
  } = old.run;
  const alone = { experiment, command, directory, variables, madeConfig, overriddenConfig, outputs, hash };
  const started = { ...(processes !== undefined && { processes }), ...(cluster !== undefined && { cluster }) };
  const held = { ...alone, ...started, ...(node !== undefined && { node }) };
  return {
    ...old,
    run: { ...next.run, ...held },
    dashboard: next.dashboard,
    // Which trials there are to be is the study's to know, and no running one depends on it.
    ...(old.worker && { worker: { ...old.worker, ...next.worker, ...slotsOf(old.worker) } }),
  };
}

function slotsOf({ gpusPerRun, runsPerMachine }: WorkerPlan): Pick<WorkerPlan, "gpusPerRun" | "runsPerMachine"> {
  return { gpusPerRun, runsPerMachine };
}

/** What the place of a dataset is known by. */
function placedDataset({ dataset }: StandingPlan): unknown {
  return dataset === undefined || dataset === null
    ? undefined
    : [dataset.hash, dataset.target, dataset.splits, dataset.cache];
}
