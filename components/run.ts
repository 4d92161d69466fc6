import * as pulumi from "@pulumi/pulumi";
import { spentAt } from "../lambda/billing/forecast";
import { type Job, onlyRun } from "../plan/types";
import { renderCall } from "../remote/agent";
import type { StartedOn } from "../remote/provenance";
import { renderStart, type StartContext, workCall } from "../remote/start";
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
  /** Ids of the instances that train together, by rank. A change starts the run again. Default: it trains alone. */
  readonly members?: pulumi.Input<string[]>;
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
    const { plan, instanceId, access, prepared = [], needs = [], members } = args;
    const prefix = name === onlyRun ? "" : `${name}-`;
    const place = { plan, instanceId, access };
    const results = new Results(`${prefix}results`, place, formerly({ parent: this, dependsOn: [...prepared] }));
    const started = this.started(args);
    const startScript = started.apply((context) => renderStart(plan, context));
    const secret = [plan.run.variables];
    const config = this.madeConfig(args, name);
    const study = plan.worker === undefined ? "" : `, sweep ${plan.worker.hash}`;
    const standsOn = `code ${plan.workload.hash}, dataset ${plan.dataset?.hash ?? "none"}, environment ${plan.environment.hash}${study}`;
    const before = [results, ...needs, ...config];
    const restored = this.restored(args, name, results);
    const start = step(
      `${name}-train`,
      {
        access,
        // A run that failed or was stopped starts again on new code, data or environment. One that has finished stays so.
        script: withVariables(secret, pulumi.interpolate`${startScript}\n# ${standsOn}\n`),
        triggers: [pulumi.output(instanceId), results.guardId, ...joined(members)],
        secrets: plan.run.secrets,
      },
      { parent: this, dependsOn: [...before, ...restored, ...this.work(args, name, started, before)] },
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
    // A sweep's trials are evaluated, and not their worker.
    const evaluation =
      plan.worker === undefined &&
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
    this.metrics = (evaluation || undefined)?.metrics ?? (pulumi.output({}) as pulumi.Output<Record<string, unknown>>);
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

  /** Of a sweep's worker: what its trials are. It takes over a change while it runs. */
  private work(
    { plan, instanceId, access }: RunArgs,
    name: string,
    started: pulumi.Output<StartContext>,
    after: pulumi.Resource[],
  ): pulumi.Resource[] {
    if (plan.worker === undefined) return [];
    const secret = [plan.run.variables];
    const script = pulumi.all([instanceId, started]).apply(([id, context]) => renderCall(workCall(plan, id, context)));
    const args = { access, script: withVariables<string>(secret, script), triggers: [pulumi.output(instanceId)] };
    return [step(`${name}-work`, args, { parent: this, dependsOn: after })];
  }

  /** What an earlier instance's attempts have left, where the run resumes from that. A sweep's trials are their study's. */
  private restored({ plan, instanceId, access, needs = [] }: RunArgs, name: string, results: Results): Restore[] {
    const { experiment, hash, directory, outputs, resume, graceSeconds, maxSeconds, checkpoints } = plan.run;
    if (resume === undefined || plan.worker !== undefined) return [];
    const run = { experiment, hash, directory, outputs, resume, graceSeconds, maxSeconds, checkpoints };
    const args = { instanceId, access, run, workspace: plan.workload.name, directory: plan.results.directory };
    return [new Restore(`${name}-restore`, args, { parent: this, dependsOn: [results, ...needs] })];
  }

  /** When it starts, and where: known when the instance is there. */
  private started({ plan, instanceId, bill, members }: RunArgs): pulumi.Output<StartContext> {
    const { budgetDollars: budget, instances = 1 } = plan.cloud;
    // Each instance of several spends an equal share, so that none of them needs to know of the others.
    const budgetDollars = budget === undefined ? undefined : budget / instances;
    // Of a run without a bucket nothing else is told: its start command stays the same.
    const instance = plan.run.bucket === undefined ? undefined : instanceId;
    return pulumi
      .all([bill, members ?? [], instance])
      .apply(([{ launchedAt, priceCentsPerHour, type, region }, ids, id]) => ({
        spentAt:
          budgetDollars === undefined
            ? undefined
            : spentAt([{ launchedAt, priceCents: priceCentsPerHour }], budgetDollars),
        on: { type, region },
        ...(id !== undefined && { instance: id }),
        members: ids,
      }));
  }
}

/** Where any machine of a training on several is another one, all of them start again. */
function joined(members: pulumi.Input<string[]> | undefined): pulumi.Output<string>[] {
  return members === undefined ? [] : [pulumi.output(members).apply((ids) => ids.join(" "))];
}
