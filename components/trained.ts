import * as pulumi from "@pulumi/pulumi";
import type { Job, MachinePlan, Plan } from "../plan/types";
import type { Instance } from "./instance";
import { paced } from "./kit/pace";
import { machinesOf, type StackMachine, type TrainingPlace } from "./machines";
import { Run } from "./run";
import { Study } from "./study";

/** A machine, and what trains on it. */
export interface TrainedMachine {
  readonly instance: Instance;
  /** The plan that is in force there. */
  readonly plan: MachinePlan;
  readonly runs: readonly { readonly job: Job; readonly run: Run }[];
}

/** Makes all of a plan: two loops, over machines and runs. */
export async function trained(plan: Plan, place: TrainingPlace = {}): Promise<TrainedMachine[]> {
  const { stack, onChange } = plan;
  const { parent } = place;
  const machines = await machinesOf(plan, place);
  const instanceIds = pulumi.all(machines.map(({ instance }) => instance.id));
  const study = studyOf(plan, machines, place);
  const inTurn = paced();
  return Promise.all(
    machines.map(async ({ instance, ready }) => {
      const { plan: inForce, prepared, needs: own } = await ready;
      const needs = [...own, ...(await study)];
      const runs = inForce.runs.map(async (planned) => {
        const { id: instanceId, access, bill } = instance;
        const job = { stack, onChange, ...inForce, ...planned };
        const args = { instanceId, access, bill, plan: job, prepared, needs };
        const members = planned.run.node ? { members: instanceIds } : {};
        return { job, run: await inTurn(() => new Run(planned.name, { ...args, ...members }, { parent })) };
      });
      return { instance, plan: inForce, runs: await Promise.all(runs) };
    }),
  );
}

/** What must be there of a sweep's study before its workers start; nothing without a sweep. */
async function studyOf(
  { stack, onChange, runs }: Plan,
  machines: readonly StackMachine[],
  { parent, prefix = "" }: TrainingPlace,
): Promise<Study["placed"][]> {
  const planned = runs.find(({ worker, machine }) => worker?.study === machine);
  const owner = machines.find(({ machine }) => machine === planned?.machine);
  if (owner === undefined) return [];
  const { plan: inForce, needs } = await owner.ready;
  const run = inForce.runs.find(({ worker }) => worker !== undefined);
  if (run?.worker === undefined) return [];
  const { id: instanceId, access } = owner.instance;
  const job = { stack, onChange, ...inForce, ...run };
  const args = { plan: job, worker: run.worker, needs, members: machines, instanceId, access };
  return [new Study(`${prefix}study`, args, { parent }).placed];
}
