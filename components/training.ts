import * as pulumi from "@pulumi/pulumi";
import { PlanError } from "../plan/problems";
import { type MachinePlan, onlyMachine, onlyRun, type Plan, type PlannedRun } from "../plan/types";
import { checkedPlan } from "./kit/checked-plan";
import { outputsOf } from "./kit/outputs";
import { stackConfig } from "./kit/stack-config";
import { userError } from "./kit/user-error";
import { trained } from "./trained";
import type { TrainingArgs } from "./training-args";

/**
 * A training for a Pulumi program of your own: it launches what it needs, trains, and downloads the results before it
 * terminates anything. One that has ended well stays as it is at the next `pulumi up`.
 */
export class Training extends pulumi.ComponentResource {
  /** Id of the instance; a map by machine if there are several. */
  readonly instanceId: pulumi.Output<string | Record<string, string>>;
  /** Its public IPv4 address; a map by machine if there are several. */
  readonly instanceIp: pulumi.Output<string | Record<string, string>>;
  /** Dollars per hour, before tax; a map by machine if there are several. */
  readonly pricePerHour: pulumi.Output<number | Record<string, number>>;
  /** What the run did last: `running`, `finished`, `failed`, `stopped`; a map by experiment if there are several. */
  readonly runStatus: pulumi.Output<string | Record<string, string>>;
  /** Local folder of the results once they are downloaded, relative to the project. */
  readonly resultsDirectory: pulumi.Output<string | Record<string, string>>;
  /** Metrics of the evaluation by file; empty until it is done and a refresh has read them. */
  readonly metrics: pulumi.Output<Record<string, unknown>>;

  constructor(name: string, args: TrainingArgs, options?: pulumi.ComponentResourceOptions) {
    super("lambda-train:index:Training", name, {}, options);
    // The plan reads files first, and the SDK ends a program that registers nothing meanwhile.
    const done = pulumi.runtime.rpcKeepAlive();
    const made = this.made(name, args).finally(done);
    const output = <T>(key: string): pulumi.Output<T> =>
      pulumi.output(made.then((all) => all[key])) as unknown as pulumi.Output<T>;
    this.instanceId = output("instanceId");
    this.instanceIp = output("instanceIp");
    this.pricePerHour = output("pricePerHour");
    this.runStatus = output("runStatus");
    this.resultsDirectory = output("resultsDirectory");
    this.metrics = output("metrics");
  }

  /** All outputs of the training, by name. */
  private async made(name: string, args: TrainingArgs): Promise<Record<string, unknown>> {
    const { apiKey, selfTerminateApiKey, secrets } = stackConfig();
    const keys = Object.entries({ ...args, apiKey, selfTerminateApiKey, secrets }).filter(
      ([, value]) => value !== undefined,
    );
    const raw = Object.fromEntries(
      keys.map(([key, value]) => [key, typeof value === "string" ? value : JSON.stringify(value)]),
    );
    const plan = named(await planOf(raw), name);
    for (const { run } of plan.runs) claim(run.experiment, name);
    const machines = await trained(plan, { parent: this, prefix: `${name}-` });
    const outputs = outputsOf(
      plan.stack,
      machines,
      machines.flatMap(({ runs }) => runs),
    );
    this.registerOutputs({ instanceId: outputs.instanceId, resultsDirectory: outputs.resultsDirectory });
    return outputs;
  }
}

async function planOf(raw: Readonly<Record<string, string>>): Promise<Plan> {
  try {
    return await checkedPlan(raw);
  } catch (error) {
    throw error instanceof PlanError ? userError(error.message) : error;
  }
}

const trainings = new Map<string, string>();

/** @throws RunError where two trainings of a program would write to one folder of results */
function claim(experiment: string, training: string): void {
  const other = trainings.get(experiment) ?? training;
  trainings.set(experiment, other);
  if (other === training) return;
  throw userError(
    `The trainings ${other} and ${training} are both the experiment ${experiment}, and their results would share a folder. ` +
      `Give one of them another name: experimentName. Nothing of ${training} was launched.`,
  );
}

/** The plan with machines and runs that are called after the training, since a program may have several. */
function named({ machines, runs, ...plan }: Plan, training: string): Plan {
  const after = (name: string, first: string): string => training + name.slice(first.length);
  const machine = (name: string): string => after(name, onlyMachine);
  return {
    ...plan,
    machines: machines.map((each): MachinePlan => ({ ...each, machine: machine(each.machine) })),
    runs: runs.map((each): PlannedRun => {
      const { node } = each.run;
      return {
        ...each,
        name: after(each.name, onlyRun),
        machine: machine(each.machine),
        run: node === undefined ? each.run : { ...each.run, node: { ...node, machines: node.machines.map(machine) } },
        worker: each.worker && { ...each.worker, study: machine(each.worker.study) },
      };
    }),
  };
}
