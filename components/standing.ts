import { resolve } from "node:path";
import * as pulumi from "@pulumi/pulumi";
import { projectFolder } from "../local/paths";
import { type StandingPlan, standingOf } from "../plan/standing";
import type { DatasetSource, MachinePlan, Plan } from "../plan/types";
import { portablePath } from "./kit/portable-path";
import type { OnInstanceArgs } from "./resources/on-instance";
import { StandingWatch } from "./resources/standing";

/** A machine's plan together with the runs that train there. */
export type MachineInForce = MachinePlan & Pick<Plan, "runs" | "results">;

/** Arguments of {@link Standing}. */
export interface StandingArgs extends OnInstanceArgs {
  /** The plan as the configuration has it. */
  readonly plan: MachineInForce;
  /** What becomes of a run that goes on, where the plan has changed. */
  readonly onChange: Plan["onChange"];
}

/**
 * On what the runs of a machine stand: code, data, environment, configuration. While one goes on its own plan stays in
 * force, so that nothing under it changes, and a changed plan waits for its end (or ends it first, where the user says so).
 */
export class Standing extends pulumi.ComponentResource {
  /** The plan that is in force. A preview of a changed one shows that. */
  readonly plan: Promise<MachineInForce>;

  constructor(name: string, args: StandingArgs, options?: pulumi.ComponentResourceOptions) {
    super("lambda-train:index:Standing", name, {}, options);
    const { plan, onChange, instanceId, access } = args;
    const watch = new StandingWatch(
      `${name}-watch`,
      // An old plan that stays in force may hold variables where the new one has none: it is always secret.
      { instanceId, access, onChange, plan: pulumi.secret(inState(plan)) },
      { parent: this },
    );
    this.plan = valueIn(watch.plan).then((kept) => (kept === undefined ? plan : inForce(plan, standingOf(kept))));
    this.registerOutputs({});
  }
}

/** The plan with the parts that are in force. */
function inForce(plan: MachineInForce, standing: StandingPlan): MachineInForce {
  const { workload, dataset, environment, gate, runs, results } = standing;
  // Of older code that stays, nothing tells the commit: what is known here is that of the new one.
  const { commit, ref, changed, repository, ...rest } = plan.workload;
  const origin = workload.hash === plan.workload.hash ? { commit, ref, changed, repository } : {};
  return {
    ...plan,
    workload: { ...rest, ...origin, ...workload, files: workload.files, folder: localPath(workload.folder) },
    // Each by its name: what the old plan does without is not taken from the new one.
    dataset: dataset && { ...dataset, source: withPath(dataset.source, localPath) },
    environment,
    gate,
    runs,
    results,
  };
}

/** What the state holds of a plan. What a commit is called, or what is tried at home, makes no other plan. */
function inState({ workload, dataset, environment, gate, runs, results }: MachineInForce): StandingPlan {
  const { name, folder, source, extraFiles, files, protectedPaths, hash } = workload;
  return {
    workload: { name, folder: portablePath(folder), source, extraFiles, files, protectedPaths, hash },
    dataset: dataset && { ...dataset, source: withPath(dataset.source, portablePath) },
    environment,
    gate,
    runs,
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
