import * as pulumi from "@pulumi/pulumi";
import { checkedPlan } from "./components/kit/checked-plan";
import { endWithoutEngine } from "./components/kit/engine-gone";
import { keepHeapSmall } from "./components/kit/heap";
import { outputsOf } from "./components/kit/outputs";
import { paced } from "./components/kit/pace";
import { previewPrices } from "./components/kit/price-preview";
import { stackConfig } from "./components/kit/stack-config";
import { userError } from "./components/kit/user-error";
import { machinesOf, type StackMachine } from "./components/machines";
import { Run } from "./components/run";
import { Study } from "./components/study";
import { PlanError } from "./plan/problems";
import type { Plan } from "./plan/types";

/** The program: configuration → plan → machines → runs → outputs. */
async function program(): Promise<pulumi.Output<Record<string, unknown>> | Record<string, unknown>> {
  endWithoutEngine();
  const config = stackConfig();
  const plan = await checkedPlan(config).catch((error: unknown) => {
    throw error instanceof PlanError ? userError(error.message) : error;
  });

  keepHeapSmall(plan);
  const { stack, onChange } = plan;
  const machines = await machinesOf(plan);
  const instanceIds = pulumi.all(machines.map(({ instance }) => instance.id));
  const study = studyOf(plan, machines);
  const inTurn = paced();
  const ready = await Promise.all(
    machines.map(async ({ instance, ready }) => {
      const { plan: inForce, prepared, needs: own } = await ready;
      const needs = [...own, ...(await study)];
      const runs = inForce.runs.map(async (planned) => {
        const { id: instanceId, access, bill } = instance;
        const job = { stack, onChange, ...inForce, ...planned };
        const place = { instanceId, access, bill, plan: job, prepared, needs };
        const args = planned.run.node ? { ...place, members: instanceIds } : place;
        return { job, run: await inTurn(() => new Run(planned.name, args)) };
      });
      return { instance, plan: inForce, runs: await Promise.all(runs) };
    }),
  );
  await previewPrices(
    ready.map(({ plan: { cloud }, instance }) => ({ cloud, instanceId: instance.id })),
    config.apiKey,
  );
  return outputsOf(
    stack,
    ready,
    ready.flatMap(({ runs }) => runs),
  );
}

/** What must be there of a sweep's study before its workers start; nothing without a sweep. */
async function studyOf({ stack, onChange, runs }: Plan, machines: readonly StackMachine[]): Promise<Study["placed"][]> {
  const planned = runs.find(({ worker, machine }) => worker?.study === machine);
  const owner = machines.find(({ machine }) => machine === planned?.machine);
  if (owner === undefined) return [];
  const { plan: inForce, needs } = await owner.ready;
  const run = inForce.runs.find(({ worker }) => worker !== undefined);
  if (run?.worker === undefined) return [];
  const { id: instanceId, access } = owner.instance;
  const job = { stack, onChange, ...inForce, ...run };
  return [new Study("study", { plan: job, worker: run.worker, needs, members: machines, instanceId, access }).placed];
}

export = program;
