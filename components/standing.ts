import { resolve } from "node:path";
import * as pulumi from "@pulumi/pulumi";
import { projectFolder } from "../local/paths";
import type { StandingPlan } from "../plan/standing";
import type { DatasetSource, Plan } from "../plan/types";
import { portablePath } from "./kit/portable-path";
import type { OnInstanceArgs } from "./resources/on-instance";
import { StandingWatch } from "./resources/standing";

/** Arguments of {@link Standing}. */
export interface StandingArgs extends OnInstanceArgs {
  /** The plan as the configuration has it. */
  readonly plan: Plan;
}

/**
 * On what the run stands: code, data, environment, configuration. While a run goes on its own plan stays in force, so that
 * nothing under it changes, and a changed plan waits for its end (or ends it first, where the user says so).
 */
export class Standing extends pulumi.ComponentResource {
  /** The plan that is in force. A preview of a changed one shows that. */
  readonly plan: Promise<Plan>;

  constructor(name: string, args: StandingArgs, options?: pulumi.ComponentResourceOptions) {
    super("lambda-train:index:Standing", name, {}, options);
    const { plan, instanceId, access } = args;
    const watch = new StandingWatch(
      `${name}-watch`,
      // An old plan that stays in force may hold variables where the new one has none: it is always secret.
      { instanceId, access, onChange: plan.onChange, plan: pulumi.secret(inState(plan)) },
      { parent: this },
    );
    this.plan = valueIn(watch.plan).then((standing) => (standing === undefined ? plan : inForce(plan, standing)));
    this.registerOutputs({});
  }
}

/** The plan with the parts that are in force. */
function inForce(plan: Plan, standing: StandingPlan): Plan {
  const { workload, dataset, environment, gate, run, evaluation, dashboard, results } = standing;
  return {
    ...plan,
    workload: { ...plan.workload, ...workload, folder: localPath(workload.folder) },
    // Each by its name: what the old plan does without is not taken from the new one.
    dataset: dataset && { ...dataset, source: withPath(dataset.source, localPath) },
    environment,
    gate,
    run,
    evaluation,
    dashboard,
    results,
  };
}

/** What the state holds of a plan. What a commit is called, or what is tried at home, makes no other plan. */
function inState({ workload, dataset, environment, gate, run, evaluation, dashboard, results }: Plan): StandingPlan {
  const { name, folder, source, extraFiles, protectedPaths, hash } = workload;
  return {
    workload: { name, folder: portablePath(folder), source, extraFiles, protectedPaths, hash },
    dataset: dataset && { ...dataset, source: withPath(dataset.source, portablePath) },
    environment,
    gate,
    run,
    evaluation,
    dashboard,
    results,
  };
}

function withPath(source: DatasetSource, change: (path: string) => string): DatasetSource {
  return source.kind === "folder" || source.kind === "archive" ? { ...source, path: change(source.path) } : source;
}

function localPath(path: string): string {
  return resolve(projectFolder(), path);
}

/** The value of an output, once it is there; undefined for one that a preview does not know. */
async function valueIn<T>(output: pulumi.Output<T>): Promise<T | undefined> {
  // The SDK has both, without a type.
  const { isKnown, promise } = output as unknown as { isKnown: Promise<boolean>; promise(): Promise<T> };
  return (await isKnown) ? promise() : undefined;
}
