import type * as pulumi from "@pulumi/pulumi";
import { checkedPlan } from "./components/kit/checked-plan";
import { tellEnd } from "./components/kit/end-of-bill";
import { endWithoutEngine } from "./components/kit/engine-gone";
import { keepHeapSmall } from "./components/kit/heap";
import { outputsOf } from "./components/kit/outputs";
import { previewPrices } from "./components/kit/price-preview";
import { refuseMisplaced, stackConfig } from "./components/kit/stack-config";
import { userError } from "./components/kit/user-error";
import { trained } from "./components/trained";
import { PlanError } from "./plan/problems";

/** The program: configuration → plan → machines → runs → outputs. */
async function program(): Promise<pulumi.Output<Record<string, unknown>> | Record<string, unknown>> {
  endWithoutEngine();
  const config = stackConfig();
  const plan = await planOf(config);
  keepHeapSmall(plan);
  const machines = await trained(plan);
  await previewPrices(
    machines.map(({ plan: { cloud }, instance }) => ({ cloud, instanceId: instance.id })),
    config.apiKey,
  );
  await tellEnd(plan);
  return outputsOf(
    plan.stack,
    machines,
    machines.flatMap(({ runs }) => runs),
  );
}

async function planOf(config: Readonly<Record<string, string>>): ReturnType<typeof checkedPlan> {
  try {
    refuseMisplaced();
    return await checkedPlan(config);
  } catch (error) {
    throw error instanceof PlanError ? userError(error.message) : error;
  }
}

export = program;
