import { isDeepStrictEqual } from "node:util";
import { type MachinePlan, onlyMachine, onlyRun, type PlannedRun, type ResultsPlan } from "./types";

/** The environment variable that lets an `up` with changes stop a running run and start it again with them. */
export const restartVariable = "LAMBDA_TRAIN_RESTART";

/** The parts of a plan that live on one machine. Local paths in it are as the state holds them. */
export interface StandingPlan extends Pick<MachinePlan, "workload" | "dataset" | "environment" | "gate"> {
  /** The runs that train there. */
  readonly runs: readonly PlannedRun[];
  readonly results: ResultsPlan;
}

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
  const several = old.runs.length > 1;
  const found: Readonly<Record<string, boolean>> = {
    ...Object.fromEntries(old.runs.flatMap((run) => differencesOfRun(run, next, { rendered, several }))),
    "the code": !rendered && old.workload.hash !== next.workload.hash,
    "the dataset": !isDeepStrictEqual(placedDataset(old), placedDataset(next)),
    "the environment": old.environment.hash !== next.environment.hash,
    "the workspace's name": old.workload.name !== next.workload.name,
  };
  return Object.keys(found).filter((words) => found[words]);
}

/** What is another of one run, each in words and whether it is. */
function differencesOfRun(
  { name, run }: PlannedRun,
  next: StandingPlan,
  { rendered, several }: { readonly rendered: boolean; readonly several: boolean },
): [string, boolean][] {
  const other = next.runs.find((each) => each.name === name)?.run;
  const of = several ? ` of ${run.experiment}` : "";
  if (other === undefined) return [[`the run ${run.experiment}, which is not asked for any more`, true]];
  const renamed = run.experiment !== other.experiment;
  return [
    [`the experiment's name (${run.experiment}, now ${other.experiment})`, renamed],
    [`the configuration${of}`, !renamed && (rendered || run.hash !== other.hash)],
    [`the outputs' folder${of}`, run.outputs !== other.outputs],
  ];
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
  const { experiment, command, directory, variables, outputs, hash } = old.run;
  return {
    ...old,
    run: { ...next.run, experiment, command, directory, variables, outputs, hash },
    dashboard: next.dashboard,
  };
}

/** What the place of a dataset is known by. */
function placedDataset({ dataset }: StandingPlan): unknown {
  return dataset === undefined || dataset === null ? undefined : [dataset.hash, dataset.target, dataset.splits];
}
