import { isDeepStrictEqual } from "node:util";
import type { Plan } from "./types";

/** The environment variable that lets an `up` with changes stop a running run and start it again with them. */
export const restartVariable = "LAMBDA_TRAIN_RESTART";

/** The parts of a plan that live on the instance. Local paths in it are as the state holds them. */
export type StandingPlan = Pick<
  Plan,
  "workload" | "dataset" | "environment" | "gate" | "run" | "evaluation" | "dashboard" | "results"
>;

/**
 * What a run depends on that differs in the next plan, in words: code, data, environment, configuration. Empty if a
 * running run can take over the next plan as it is (limits, evaluation, dashboard, gate).
 */
export function differences(old: StandingPlan, next: StandingPlan): string[] {
  const renamed = old.run.experiment !== next.run.experiment;
  // A rendered configuration is a file among the code, named after the experiment.
  const rendered = !isDeepStrictEqual(old.workload.extraFiles, next.workload.extraFiles);
  const found: Readonly<Record<string, boolean>> = {
    [`the experiment's name (${old.run.experiment}, now ${next.run.experiment})`]: renamed,
    "the code": !rendered && old.workload.hash !== next.workload.hash,
    "the configuration": !renamed && (rendered || old.run.hash !== next.run.hash),
    "the dataset": !isDeepStrictEqual(placedDataset(old), placedDataset(next)),
    "the environment": old.environment.hash !== next.environment.hash,
    "the workspace's name": old.workload.name !== next.workload.name,
    "the outputs' folder": old.run.outputs !== next.run.outputs,
  };
  return Object.keys(found).filter((words) => found[words]);
}

/** The next plan as far as a running run can take it over: everything that it depends on stays the old one. */
export function heldPlan(old: StandingPlan, next: StandingPlan): StandingPlan {
  const { experiment, command, directory, variables, outputs, hash } = old.run;
  return {
    workload: old.workload,
    dataset: old.dataset,
    environment: old.environment,
    gate: old.gate,
    evaluation: old.evaluation,
    run: { ...next.run, experiment, command, directory, variables, outputs, hash },
    dashboard: next.dashboard,
    results: next.results,
  };
}

/** What the place of a dataset is known by. */
function placedDataset({ dataset }: StandingPlan): unknown {
  return dataset === undefined || dataset === null ? undefined : [dataset.hash, dataset.target, dataset.splits];
}
