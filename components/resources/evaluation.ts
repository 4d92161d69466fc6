import type * as pulumi from "@pulumi/pulumi";
import type { EvaluationPlan, RunPlan } from "../../plan/types";
import { RemoteResource } from "../dynamic/resource";
import type { OnInstanceArgs } from "./on-instance";

/** Arguments of {@link EvaluationWatch}. */
export interface EvaluationWatchArgs extends OnInstanceArgs {
  /** Id of the command that started the run. A change replaces the resource. */
  readonly startId: pulumi.Input<string>;
  /** Which start of the experiment is evaluated. A change looks again: what was evaluated was an earlier one. */
  readonly attempt: pulumi.Input<number | undefined>;
  readonly run: pulumi.Input<RunPlan>;
  readonly evaluation: pulumi.Input<EvaluationPlan>;
  readonly workspace: pulumi.Input<string>;
}

/** The evaluation that the instance makes when training has ended; a refresh reads its metrics. */
export class EvaluationWatch extends RemoteResource {
  declare readonly state: pulumi.Output<"pending" | "running" | "done" | "failed">;
  /** Metrics by file name, as the workload wrote them. Empty until they exist. */
  declare readonly metrics: pulumi.Output<Record<string, unknown>>;

  constructor(name: string, args: EvaluationWatchArgs, options?: pulumi.CustomResourceOptions) {
    const outputs = { state: undefined, metrics: undefined };
    super("components/resources/evaluation-handler", "Evaluation", name, { ...outputs, ...args }, options);
  }
}
