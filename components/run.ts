import * as pulumi from "@pulumi/pulumi";
import { spentAt } from "../lambda/billing/forecast";
import { type Job, onlyRun } from "../plan/types";
import type { StartedOn } from "../remote/provenance";
import { renderStart } from "../remote/scripts";
import type { RunState } from "../remote/types";
import { Evaluation } from "./evaluation";
import { formerly } from "./kit/formerly";
import { withVariables } from "./kit/with-variables";
import type { OnInstanceArgs } from "./resources/on-instance";
import { Overrides } from "./resources/overrides";
import { Restore } from "./resources/restore";
import { RunWatch } from "./resources/run";
import { Results } from "./results";
import { step } from "./step";

/** Arguments of {@link Run}. */
export interface RunArgs extends OnInstanceArgs {
  /** The run and its machine. A change of the experiment's name starts a new run. */
  readonly plan: Job;
  /** What is there before its results are guarded: from then on somebody may train by hand. Default: nothing. */
  readonly prepared?: readonly pulumi.Resource[];
  /** What is done before it starts. Default: nothing. */
  readonly needs?: readonly pulumi.Resource[];
  /**
   * The instance: what it is, when it was launched, and what it costs. The budget's end follows. A change is handed to a run
   * that goes on.
   */
  readonly bill: pulumi.Input<StartedOn & { readonly launchedAt: string; readonly priceCentsPerHour: number }>;
}

/**
 * One training: the guard of its results, the detached process with its tmux session, log, exit status and checkpoints,
 * and the evaluation that follows it.
 */
export class Run extends pulumi.ComponentResource {
  readonly state: pulumi.Output<RunState>;
  /** Which start of the experiment it is, from 1. */
  readonly attempt: pulumi.Output<number | undefined>;
  readonly logPath: pulumi.Output<string>;
  /** Local folder in which the results lie once they are home, relative to the project. */
  readonly directory: pulumi.Output<string>;
  /** Metrics of the evaluation by file name; empty until it is done and a refresh has read them, or where none is asked for. */
  readonly metrics: pulumi.Output<Record<string, unknown>>;

  constructor(name: string, args: RunArgs, options?: pulumi.ComponentResourceOptions) {
    super("lambda-train:index:Run", name, {}, options);
    const { plan, instanceId, access, prepared = [], needs = [] } = args;
    const prefix = name === onlyRun ? "" : `${name}-`;
    const place = { plan, instanceId, access };
    const results = new Results(`${prefix}results`, place, formerly({ parent: this, dependsOn: [...prepared] }));
    const startScript = this.startScript(args);
    const secret = [plan.run.variables];
    const config = this.madeConfig(args, name);
    const standsOn = `code ${plan.workload.hash}, dataset ${plan.dataset?.hash ?? "none"}, environment ${plan.environment.hash}`;
    const start = step(
      `${name}-train`,
      {
        access,
        // A run that failed or was stopped starts again on new code, data or environment. One that has finished stays so.
        script: withVariables(secret, pulumi.interpolate`${startScript}\n# ${standsOn}\n`),
        triggers: [pulumi.output(instanceId), results.guardId],
      },
      { parent: this, dependsOn: [results, ...needs, ...config, ...this.restored(args, name, results)] },
    );
    const watch = new RunWatch(
      `${name}-watch`,
      {
        instanceId,
        access,
        endpoint: plan.cloud.endpoint,
        startId: start.id,
        run: withVariables(secret, plan.run),
        workspace: plan.workload.name,
        dashboard: plan.dashboard,
        startScript: withVariables<string>(secret, startScript),
        standsOn,
      },
      { parent: this },
    );
    const evaluation =
      plan.evaluation &&
      new Evaluation(
        `${prefix}evaluation`,
        { ...place, startId: start.id, attempt: watch.attempt },
        formerly({ parent: this, dependsOn: watch }),
      );
    this.state = watch.state;
    this.attempt = watch.attempt;
    this.logPath = watch.logPath;
    this.directory = results.directory;
    this.metrics = evaluation?.metrics ?? (pulumi.output({}) as pulumi.Output<Record<string, unknown>>);
    this.registerOutputs({
      state: this.state,
      logPath: this.logPath,
      directory: this.directory,
      metrics: this.metrics,
    });
  }

  /** What training reads, where setup makes it: known on the instance alone. */
  private madeConfig({ plan, instanceId, access, needs = [] }: RunArgs, name: string): Overrides[] {
    const { directory, madeConfig: config } = plan.run;
    if (config?.overrides === undefined) return [];
    const args = { instanceId, access, workspace: plan.workload.name, directory, config };
    const environment = plan.environment.hash;
    return [new Overrides(`${name}-overrides`, { ...args, environment }, { parent: this, dependsOn: [...needs] })];
  }

  /** What an earlier instance's attempts have left, where the run resumes from that. */
  private restored({ plan, instanceId, access, needs = [] }: RunArgs, name: string, results: Results): Restore[] {
    const { experiment, hash, directory, outputs, resume, graceSeconds, maxSeconds, checkpoints } = plan.run;
    if (resume === undefined) return [];
    const run = { experiment, hash, directory, outputs, resume, graceSeconds, maxSeconds, checkpoints };
    const args = { instanceId, access, run, workspace: plan.workload.name, directory: plan.results.directory };
    return [new Restore(`${name}-restore`, args, { parent: this, dependsOn: [results, ...needs] })];
  }

  private startScript({ plan, bill }: RunArgs): pulumi.Input<string> {
    const { budgetDollars } = plan.cloud;
    return pulumi.output(bill).apply(({ launchedAt, priceCentsPerHour, type, region }) => {
      const ends =
        budgetDollars === undefined
          ? undefined
          : spentAt([{ launchedAt, priceCents: priceCentsPerHour }], budgetDollars);
      return renderStart(plan, ends, { type, region });
    });
  }
}
