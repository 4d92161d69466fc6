import * as pulumi from "@pulumi/pulumi";
import type { Job } from "../plan/types";
import { withVariables } from "./kit/with-variables";
import { EvaluationWatch } from "./resources/evaluation";
import type { OnInstanceArgs } from "./resources/on-instance";

/** Arguments of {@link Evaluation}. */
export interface EvaluationArgs extends OnInstanceArgs {
  /** The plan; its evaluation is there. */
  readonly plan: Job;
  /** Id of the start of the run that is evaluated. */
  readonly startId: pulumi.Input<string>;
  /** Which start of the experiment that is. A change reads the metrics anew. */
  readonly attempt: pulumi.Input<number | undefined>;
}

/** The evaluation that the instance makes of the best checkpoint when training has ended. */
export class Evaluation extends pulumi.ComponentResource {
  /** Metrics by file name; empty until the evaluation is done and a refresh has read them. */
  readonly metrics: pulumi.Output<Record<string, unknown>>;

  constructor(name: string, args: EvaluationArgs, options?: pulumi.ComponentResourceOptions) {
    super("lambda-train:index:Evaluation", name, {}, options);
    const { plan, instanceId, access, startId, attempt } = args;
    if (plan.evaluation === undefined) throw new Error("An evaluation component needs a plan with an evaluation.");
    const watch = new EvaluationWatch(
      `${name}-watch`,
      {
        instanceId,
        access,
        startId,
        attempt,
        run: withVariables([plan.run.variables], plan.run),
        evaluation: plan.evaluation,
        workspace: plan.workload.name,
      },
      { parent: this },
    );
    this.metrics = watch.metrics;
    this.registerOutputs({ metrics: this.metrics });
  }
}
