import * as pulumi from "@pulumi/pulumi";
import type { Job } from "../plan/types";
import { withVariables } from "./kit/with-variables";
import type { OnInstanceArgs } from "./resources/on-instance";
import { ResultsGuard } from "./resources/results";

/** Arguments of {@link Results}. */
export interface ResultsArgs extends OnInstanceArgs {
  readonly plan: Job;
}

/**
 * `outputs/` brought home. It exists before training starts and goes before the instance does, so that nothing can end
 * the instance without the results being here, verified.
 */
export class Results extends pulumi.ComponentResource {
  /** Id of the guard: a run refers to it, and so cannot start without. */
  readonly guardId: pulumi.Output<string>;
  /** Local folder in which the results lie once they are home, relative to the project. */
  readonly directory: pulumi.Output<string>;

  constructor(name: string, args: ResultsArgs, options?: pulumi.ComponentResourceOptions) {
    super("lambda-train:index:Results", name, {}, options);
    const { plan, instanceId, access } = args;
    const guard = new ResultsGuard(
      `${name}-guard`,
      {
        instanceId,
        access,
        endpoint: plan.cloud.endpoint,
        run: withVariables([plan.run.variables], plan.run),
        evaluation: plan.evaluation,
        ...(plan.worker && { worker: plan.worker }),
        workspace: plan.workload.name,
        directory: plan.results.directory,
      },
      { parent: this },
    );
    this.guardId = guard.id;
    this.directory = guard.folder;
    this.registerOutputs({ guardId: this.guardId, directory: this.directory });
  }
}
