import type * as pulumi from "@pulumi/pulumi";
import { callerNetworks } from "./components/kit/caller-networks";
import { checkedPlan } from "./components/kit/checked-plan";
import { endWithoutEngine } from "./components/kit/engine-gone";
import { outputsOf } from "./components/kit/outputs";
import { previewPrices } from "./components/kit/price-preview";
import { stackConfig } from "./components/kit/stack-config";
import { userError } from "./components/kit/user-error";
import { Machine } from "./components/machine";
import { Run } from "./components/run";
import { PlanError } from "./plan/problems";

/** The program: configuration → plan → machines → runs → outputs. */
async function program(): Promise<pulumi.Output<Record<string, unknown>> | Record<string, unknown>> {
  endWithoutEngine();
  const config = stackConfig();
  const plan = await checkedPlan(config).catch((error: unknown) => {
    throw error instanceof PlanError ? userError(error.message) : error;
  });

  const { stack, results, onChange } = plan;
  const machines = await Promise.all(
    plan.machines.map(async (machine) => {
      const runs = plan.runs.filter((run) => run.machine === machine.machine);
      const sshSources = await callerNetworks(machine.cloud);
      const args = { stack, plan: { ...machine, runs, results }, onChange, sshSources };
      const { instance, ready } = new Machine(machine.machine, args);
      return { instance, ...(await ready) };
    }),
  );
  const runs = machines.flatMap(({ instance, plan: inForce, prepared, needs }) =>
    inForce.runs.map((planned) => {
      const { id: instanceId, access, bill } = instance;
      const job = { stack, onChange, ...inForce, ...planned };
      return { job, run: new Run(planned.name, { instanceId, access, bill, plan: job, prepared, needs }) };
    }),
  );
  for (const { instance, plan: inForce } of machines) await previewPrices(inForce.cloud, instance.id, config.apiKey);
  return outputsOf(stack, machines, runs);
}

export = program;
