import * as pulumi from "@pulumi/pulumi";
import { spentAt } from "../lambda/billing/forecast";
import type { Plan } from "../plan/types";
import { renderStart } from "../remote/scripts";
import type { RunState } from "../remote/types";
import { withVariables } from "./kit/with-variables";
import type { OnInstanceArgs } from "./resources/on-instance";
import { RunWatch } from "./resources/run";
import { step } from "./step";

/** Arguments of {@link Run}. */
export interface RunArgs extends OnInstanceArgs {
  /** The plan. A change of the experiment's name starts a new run. */
  readonly plan: Plan;
  /** Id of the results resource that guards this run. A change replaces the run. */
  readonly resultsId: pulumi.Input<string>;
  /** When the instance was launched and what it costs: the budget's end follows. A change is handed to a run that goes on. */
  readonly bill: pulumi.Input<{ readonly launchedAt: string; readonly priceCentsPerHour: number }>;
}

/** The detached training process with its tmux session, log, exit status and checkpoints. */
export class Run extends pulumi.ComponentResource {
  /** Id of the start, which names this run among the runs of the stack. */
  readonly startId: pulumi.Output<string>;
  readonly state: pulumi.Output<RunState>;
  /** Which start of the experiment it is, from 1. */
  readonly attempt: pulumi.Output<number | undefined>;
  readonly logPath: pulumi.Output<string>;

  constructor(name: string, args: RunArgs, options?: pulumi.ComponentResourceOptions) {
    super("lambda-train:index:Run", name, {}, options);
    const { plan, instanceId, access } = args;
    const { budgetDollars } = plan.cloud;
    const startScript =
      budgetDollars === undefined
        ? renderStart(plan)
        : pulumi
            .output(args.bill)
            .apply(({ launchedAt, priceCentsPerHour }) =>
              renderStart(plan, spentAt(launchedAt, priceCentsPerHour, budgetDollars)),
            );
    const standsOn = `code ${plan.workload.hash}, dataset ${plan.dataset?.hash ?? "none"}, environment ${plan.environment.hash}`;
    const start = step(
      `${name}-train`,
      {
        access,
        // A run that failed or was stopped starts again on new code, data or environment. One that has finished stays so.
        script: withVariables(plan, pulumi.interpolate`${startScript}\n# ${standsOn}\n`),
        triggers: [pulumi.output(instanceId), pulumi.output(args.resultsId)],
      },
      { parent: this },
    );
    const watch = new RunWatch(
      `${name}-watch`,
      {
        instanceId,
        access,
        endpoint: plan.cloud.endpoint,
        startId: start.id,
        run: withVariables(plan, plan.run),
        workspace: plan.workload.name,
        dashboard: plan.dashboard,
        startScript: withVariables<string>(plan, startScript),
        standsOn,
      },
      { parent: this },
    );
    this.startId = start.id;
    this.state = watch.state;
    this.attempt = watch.attempt;
    this.logPath = watch.logPath;
    this.registerOutputs({ startId: this.startId, state: this.state, logPath: this.logPath });
  }
}
