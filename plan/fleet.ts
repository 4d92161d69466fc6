import { bucketFor } from "./bucket";
import type { Experiment } from "./experiment";
import { PlanError, type Problem } from "./problems";
import type { StackConfig } from "./stack-config";
import {
  type BucketPlace,
  type CheckpointsPlan,
  type CloudPlan,
  type MachinePlan,
  type NodePlan,
  onlyMachine,
  onlyRun,
  type PlannedRun,
  type ResultsPlan,
  type RunPlan,
  type SweepDefinition,
  type SweepPlan,
} from "./types";

/** What of the configuration says how many machines a stack has. */
interface Asked {
  readonly config: Pick<StackConfig, "instances">;
  readonly experiment: Pick<Experiment, "sweep"> & { readonly train: Pick<Experiment["train"], "nodes"> };
}

/** How many machines a stack has, and whether one training needs them all. */
export interface FleetSize {
  readonly machines: number;
  readonly together: boolean;
}

/** The size of a stack's fleet. @throws PlanError where nothing tells what more than one machine would do */
export function fleetSize({ config: { instances }, experiment: { train, sweep } }: Asked): FleetSize {
  const { nodes } = train;
  if (sweep !== undefined && nodes > 1) throw new PlanError([sweptNodes(nodes)]);
  if (sweep !== undefined) return { machines: instances ?? 1, together: false };
  const together = nodes > 1;
  const problem = problemOf(instances ?? nodes, nodes);
  if (problem !== undefined) throw new PlanError([problem]);
  return { machines: nodes, together };
}

function sweptNodes(nodes: number): Problem {
  return {
    field: "train.nodes",
    value: nodes,
    message: "each trial of a sweep trains on one machine",
    next: "Leave train.nodes out; lambda-train:instances in the stack file says on how many machines trials run",
  };
}

function problemOf(instances: number, nodes: number): Problem | undefined {
  if (instances === nodes) return undefined;
  const field = "lambda-train:instances";
  return nodes > 1
    ? {
        field,
        value: instances,
        message: `train.nodes is ${nodes}: one training on ${nodes} machines needs as many instances`,
        next: "Leave lambda-train:instances out, or change train.nodes in the experiment file",
      }
    : {
        field,
        value: instances,
        message: "the experiment is one run on one machine, so nothing tells what the other instances would do",
        next:
          `Add a sweep to the experiment file for trials on all of them, or train.nodes: ${instances} for one training on ` +
          "all; or leave instances out",
      };
}

/** Names of a stack's machines. The first keeps its name, so that a stack of one grows without replacement. */
export function machineNames(count: number): string[] {
  return named(onlyMachine, count);
}

/** Names of the runs on them, one a machine. */
export function runNames(count: number): string[] {
  return named(onlyRun, count);
}

function named(first: string, count: number): string[] {
  return Array.from({ length: count }, (_, at) => (at === 0 ? first : `${first}-${at + 1}`));
}

/** The machines of a stack, each like the first. What there is to read at home is read once. */
export function machinesOf(
  machine: Omit<MachinePlan, "machine">,
  { machines, together }: FleetSize,
  passesOn = false,
): MachinePlan[] {
  const fleet: Pick<CloudPlan, "instances" | "together"> =
    machines === 1 ? {} : { instances: machines, ...(together && { together }) };
  const cloud = { ...machine.cloud, ...fleet };
  return machineNames(machines).map((name) => ({ machine: name, ...machine, cloud, ...(passesOn && { passesOn }) }));
}

/** The runs of one training or one sweep, one a machine. Rank 0 is evaluated and has the dashboard. */
export function runsOf(
  run: Omit<PlannedRun, "name" | "machine">,
  { machines }: FleetSize,
  sweep: SweepPlan | undefined,
): PlannedRun[] {
  const all = machineNames(machines);
  return runNames(machines).map((name, rank) => {
    const planned = { name, machine: all[rank] ?? onlyMachine, ...run };
    if (sweep !== undefined) {
      const logs = rank === 0 ? "" : `worker.${rank + 1}`;
      const definition = rank === 0 ? sweep.definition : withoutTrials(sweep.definition);
      return { ...planned, dashboard: undefined, worker: { ...sweep, definition, study: onlyMachine, logs } };
    }
    if (all.length === 1) return planned;
    const node: NodePlan = { rank, machines: all };
    const led = rank === 0 ? {} : { evaluation: undefined, dashboard: undefined };
    return { ...planned, ...led, run: { ...planned.run, ...placesOf(planned.run, rank), node } };
  });
}

/** Which trials there are is the study's to know: a hundred machines would each keep a thousand of them in the state. */
function withoutTrials({ points: _, space: __, ...definition }: SweepDefinition): SweepDefinition {
  return definition;
}

/** A rank's results, and copies of its checkpoints, have a place of their own. */
function placesOf({ experiment, bucket, checkpoints }: RunPlan, rank: number): Partial<RunPlan> {
  if (rank === 0) return {};
  const own = bucket && bucketFor(bucket, `${rankFolder(rank)}/${experiment}`);
  const copies = checkpoints && copiesOf(checkpoints, rank, own);
  return { ...(own && { bucket: own }), ...(copies && { checkpoints: copies }) };
}

function copiesOf(checkpoints: CheckpointsPlan, rank: number, own: BucketPlace | undefined): CheckpointsPlan {
  const { folder, bucket } = checkpoints;
  if (bucket !== undefined && own !== undefined)
    return { ...checkpoints, bucket: { ...bucket, url: `${own.url}/checkpoints` } };
  return folder === undefined ? checkpoints : { ...checkpoints, folder: `${folder}.rank.${rank}` };
}

/** What no experiment can be named, for the results of other ranks than 0. */
function rankFolder(rank: number): string {
  return `rank.${rank}`;
}

/**
 * Where the results of a machine's runs go. Rank 0's are the training's. Those of other ranks have the same names, and a folder
 * that no experiment can have.
 */
export function resultsOf({ directory }: ResultsPlan, runs: readonly PlannedRun[]): ResultsPlan {
  const rank = Math.max(0, ...runs.map(({ run: { node } }) => node?.rank ?? 0));
  return { directory: rank === 0 ? directory : `${directory}/${rankFolder(rank)}` };
}
