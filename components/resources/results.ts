import type * as pulumi from "@pulumi/pulumi";
import type { EvaluationPlan, RunPlan, WorkerPlan } from "../../plan/types";
import { RemoteResource } from "../dynamic/resource";
import type { OnInstanceArgs } from "./on-instance";

/** Arguments of {@link ResultsGuard}. */
export interface ResultsGuardArgs extends OnInstanceArgs {
  /** API endpoint, to tell an instance that is gone from one that cannot be reached. */
  readonly endpoint: pulumi.Input<string>;
  /** The run whose results these are. A change of its experiment replaces the resource, which brings the old ones home. */
  readonly run: pulumi.Input<RunPlan>;
  readonly evaluation?: pulumi.Input<EvaluationPlan | undefined>;
  /** Where the run is the worker of a sweep: the results are its trials'. */
  readonly worker?: pulumi.Input<WorkerPlan>;
  /** Folder of the workload on the instance, relative to the home folder. */
  readonly workspace: pulumi.Input<string>;
  /** Local folder of the results, relative to the project. */
  readonly directory: pulumi.Input<string>;
}

/**
 * The results of one experiment. Exists before training starts, so that from then on nothing can end the instance
 * without passing here: its deletion stops the run cleanly, evaluates, downloads and verifies. While that fails, the
 * deletion fails, and the instance lives.
 */
export class ResultsGuard extends RemoteResource {
  /** Local folder in which the results will lie. */
  declare readonly folder: pulumi.Output<string>;

  constructor(name: string, args: ResultsGuardArgs, options?: pulumi.CustomResourceOptions) {
    super("components/resources/results-handler", "Results", name, { folder: undefined, ...args }, options);
  }
}
