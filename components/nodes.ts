import * as pulumi from "@pulumi/pulumi";
import { renderNodesVerify } from "../remote/scripts";
import type { SshAccess } from "../remote/types";
import type { MachineInForce } from "./standing";
import { step } from "./step";

/** Arguments of {@link Nodes}. */
export interface NodesArgs {
  /** How to reach rank 0. */
  readonly access: pulumi.Input<SshAccess>;
  /** Ids of all instances, by rank. A change checks again. */
  readonly instanceIds: pulumi.Input<string>[];
  /** The plan in force on rank 0. A change of the environment checks again. */
  readonly plan: MachineInForce;
}

/** The gate of a training on several machines: whether all of them can talk, and how fast. Fails with the evidence. */
export class Nodes extends pulumi.ComponentResource {
  readonly checked: pulumi.Resource;

  constructor(name: string, { access, instanceIds, plan }: NodesArgs, options?: pulumi.ComponentResourceOptions) {
    super("lambda-train:index:Nodes", name, {}, options);
    const script = `${renderNodesVerify(plan)}\n# environment ${plan.environment.hash}\n`;
    this.checked = step(`${name}-verify`, { access, script, triggers: instanceIds }, { parent: this });
    this.registerOutputs({});
  }
}
