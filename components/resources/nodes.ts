import type * as pulumi from "@pulumi/pulumi";
import type { NodesCheck } from "../../remote/scripts";
import type { SshAccess } from "../../remote/types";
import { RemoteResource } from "../dynamic/resource";

/** Arguments of {@link NodesGate}. A change of any but the access checks again. */
export interface NodesGateArgs {
  /** How to reach rank 0. Secret. */
  readonly access: pulumi.Input<SshAccess>;
  /** Ids of all instances, by rank. */
  readonly instanceIds: pulumi.Input<pulumi.Input<string>[]>;
  readonly check: pulumi.Input<NodesCheck>;
  /** Hash of the environment whose Python trains. */
  readonly environment: pulumi.Input<string>;
}

/** The gate of a training on several machines: whether all of them can talk, and how fast. Fails with the evidence. */
export class NodesGate extends RemoteResource {
  constructor(name: string, args: NodesGateArgs, options?: pulumi.CustomResourceOptions) {
    super("components/resources/nodes-handler", "Nodes", name, { ...args }, options);
  }
}
