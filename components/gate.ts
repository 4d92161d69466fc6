import * as pulumi from "@pulumi/pulumi";
import type { MachinePlan, PlannedRun } from "../plan/types";
import { renderVerify } from "../remote/scripts";
import type { OnInstanceArgs } from "./resources/on-instance";
import { step } from "./step";

/** Arguments of {@link Gate}. */
export interface GateArgs extends OnInstanceArgs {
  /** The plan. A change of the gate, of the environment or of the dataset checks again. */
  readonly plan: MachinePlan & { readonly runs: readonly PlannedRun[] };
}

/** What must hold before training starts: data, CUDA, driver, disk, architecture. Fails with the evidence. */
export class Gate extends pulumi.ComponentResource {
  /** What was found, a line a check. */
  readonly evidence: pulumi.Output<string>;

  constructor(name: string, args: GateArgs, options?: pulumi.ComponentResourceOptions) {
    super("lambda-train:index:Gate", name, {}, options);
    const { plan, instanceId, access } = args;
    // What was checked is no evidence for another environment or dataset.
    const checked = `# environment ${plan.environment.hash}, dataset ${plan.dataset?.hash ?? "none"}`;
    const verify = step(
      `${name}-verify`,
      {
        access,
        script: `${renderVerify(plan)}\n${checked}\n`,
        triggers: [pulumi.output(instanceId)],
        secrets: plan.environment.secrets,
      },
      { parent: this },
    );
    this.evidence = verify.stdout;
    this.registerOutputs({ evidence: this.evidence });
  }
}
