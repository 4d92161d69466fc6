import type * as pulumi from "@pulumi/pulumi";
import type { DashboardPlan, RunPlan } from "../../plan/types";
import type { RunState } from "../../remote/types";
import { RemoteResource } from "../dynamic/resource";
import type { OnInstanceArgs } from "./on-instance";

/** Arguments of {@link RunWatch}. */
export interface RunWatchArgs extends OnInstanceArgs {
  /** Id of the command that started the run. A change replaces the resource. */
  readonly startId: pulumi.Input<string>;
  readonly run: pulumi.Input<RunPlan>;
  /** Folder of the workload on the instance, relative to the home folder. */
  readonly workspace: pulumi.Input<string>;
  /** The workload's dashboard, for `npm run dashboard`. */
  readonly dashboard?: pulumi.Input<DashboardPlan | undefined>;
  /** Script that starts the run, or leaves a running one alone. Runs again if a refresh has seen that the run failed. */
  readonly startScript: pulumi.Input<string>;
  /** API endpoint, which tells whether the instance still exists where it cannot be reached. */
  readonly endpoint: pulumi.Input<string>;
  /** Hashes of code, dataset and environment. A change looks at the run again. */
  readonly standsOn: pulumi.Input<string>;
}

/** The run as seen from here: waits for the first training step or for the end. A refresh reads its state again. */
export class RunWatch extends RemoteResource {
  declare readonly state: pulumi.Output<RunState>;
  /** Which start of the experiment it is, from 1. */
  declare readonly attempt: pulumi.Output<number | undefined>;
  /** Path of the log on the instance. */
  declare readonly logPath: pulumi.Output<string>;
  /** The line of the log that showed the first training step. */
  declare readonly firstStepLine: pulumi.Output<string | undefined>;

  constructor(name: string, args: RunWatchArgs, options?: pulumi.CustomResourceOptions) {
    const outputs = {
      state: undefined,
      logPath: undefined,
      firstStepLine: undefined,
      attempt: undefined,
      stopReason: undefined,
    };
    super("components/resources/run-handler", "Run", name, { ...outputs, ...args }, options);
  }
}
