import * as pulumi from "@pulumi/pulumi";
import type { Plan } from "../plan/types";
import type { OnInstanceArgs } from "./resources/on-instance";
import { SelfTermination as SelfTerminationWatch } from "./resources/self-termination";

/** Arguments of {@link SelfTermination}. */
export interface SelfTerminationArgs extends OnInstanceArgs {
  /** The plan; its self-termination is there. */
  readonly plan: Plan;
}

/** The instance's leave to end itself, with an API key that it holds. */
export class SelfTermination extends pulumi.ComponentResource {
  constructor(name: string, args: SelfTerminationArgs, options?: pulumi.ComponentResourceOptions) {
    super("lambda-train:index:SelfTermination", name, {}, options);
    const { plan, instanceId, access } = args;
    const { endpoint, fileSystem, selfTermination } = plan.cloud;
    if (selfTermination === undefined) throw new Error("A self-termination needs a plan with one.");
    new SelfTerminationWatch(
      `${name}-watch`,
      { instanceId, access, endpoint, ...selfTermination, fileSystem: fileSystem?.name },
      { parent: this },
    );
    this.registerOutputs({});
  }
}
