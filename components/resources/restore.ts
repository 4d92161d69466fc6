import type * as pulumi from "@pulumi/pulumi";
import type { RestoredRun } from "../../remote/restore/restore";
import { RemoteResource } from "../dynamic/resource";
import type { OnInstanceArgs } from "./on-instance";

/** Arguments of {@link Restore}. */
export interface RestoreArgs extends OnInstanceArgs {
  /** The run that goes on. A change of its experiment replaces the resource; any other changes nothing on the instance. */
  readonly run: pulumi.Input<RestoredRun>;
  /** Folder of the workload on the instance, relative to the home folder. */
  readonly workspace: pulumi.Input<string>;
  /** Local folder of the results, relative to the project. */
  readonly directory: pulumi.Input<string>;
}

/**
 * What a run has left on an earlier instance, put back on this one before its next attempt: by `train.resume`, training
 * goes on from there. On an instance on which the experiment was started already, it does nothing.
 */
export class Restore extends RemoteResource {
  constructor(name: string, args: RestoreArgs, options?: pulumi.CustomResourceOptions) {
    super("components/resources/restore-handler", "Restore", name, { ...args }, options);
  }
}
