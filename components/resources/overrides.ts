import type * as pulumi from "@pulumi/pulumi";
import type { MadeConfig } from "../../plan/types";
import { RemoteResource } from "../dynamic/resource";
import type { OnInstanceArgs } from "./on-instance";

/** Arguments of {@link Overrides}. */
export interface OverridesArgs extends OnInstanceArgs {
  /** Folder of the workload on the instance, relative to the home folder. */
  readonly workspace: pulumi.Input<string>;
  /** Folder in it in which commands run. */
  readonly directory: pulumi.Input<string>;
  /** The config, and what is laid over it. */
  readonly config: pulumi.Input<MadeConfig>;
  /** Hash of the environment. A change lays over again, since setup has made another config. */
  readonly environment: pulumi.Input<string>;
}

/** Overrides of a config that setup makes, laid over it on the instance. */
export class Overrides extends RemoteResource {
  constructor(name: string, args: OverridesArgs, options?: pulumi.CustomResourceOptions) {
    super("components/resources/overrides-handler", "Overrides", name, { ...args }, options);
  }
}
