import * as pulumi from "@pulumi/pulumi";
import type { MachinePlan, PlannedRun } from "../plan/types";
import { renderSetup } from "../remote/scripts";
import { withVariables } from "./kit/with-variables";
import type { OnInstanceArgs } from "./resources/on-instance";
import { step } from "./step";

/** Arguments of {@link Environment}. */
export interface EnvironmentArgs extends OnInstanceArgs {
  /** The plan. A change of what setup reads runs setup again. */
  readonly plan: MachinePlan & { readonly runs: readonly PlannedRun[] };
}

/** What the setup script makes: an environment in which the workload's commands run. */
export class Environment extends pulumi.ComponentResource {
  /** Hash of the setup that finished. */
  readonly hash: pulumi.Output<string>;

  constructor(name: string, args: EnvironmentArgs, options?: pulumi.ComponentResourceOptions) {
    super("lambda-train:index:Environment", name, {}, options);
    const { plan, instanceId, access } = args;
    const variables = [plan.environment.variables, ...plan.runs.map(({ run }) => run.variables)];
    const setup = step(
      `${name}-setup`,
      {
        access,
        script: withVariables(variables, renderSetup(plan)),
        triggers: [pulumi.output(instanceId)],
        secrets: plan.environment.secrets,
      },
      { parent: this },
    );
    this.hash = setup.id.apply(() => plan.environment.hash);
    this.registerOutputs({ hash: this.hash });
  }
}
