import * as pulumi from "@pulumi/pulumi";
import type { CloudPlan } from "../plan/types";
import { agentName } from "../remote/agent";
import type { OnInstanceArgs } from "./resources/on-instance";
import { SelfTermination as SelfTerminationWatch } from "./resources/self-termination";

/** Arguments of {@link SelfTermination}. */
export interface SelfTerminationArgs extends OnInstanceArgs {
  /** What is launched; its self-termination is there. */
  readonly cloud: CloudPlan;
}

/** The instance's leave to end itself, with an API key that it holds. */
export class SelfTermination extends pulumi.ComponentResource {
  constructor(name: string, args: SelfTerminationArgs, options?: pulumi.ComponentResourceOptions) {
    super("lambda-train:index:SelfTermination", name, {}, options);
    const { cloud, instanceId, access } = args;
    const { endpoint, fileSystem, selfTermination } = cloud;
    if (selfTermination === undefined) throw new Error("A self-termination needs a plan with one.");
    new SelfTerminationWatch(
      `${name}-watch`,
      { instanceId, access, endpoint, ...selfTermination, fileSystem: fileSystem?.name, agent: agentName() },
      { parent: this },
    );
    this.registerOutputs({});
  }
}
