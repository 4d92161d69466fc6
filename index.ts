import * as pulumi from "@pulumi/pulumi";
import * as runtime from "@pulumi/pulumi/runtime";
import { Dataset } from "./components/dataset";
import { Environment } from "./components/environment";
import { Evaluation } from "./components/evaluation";
import { Gate } from "./components/gate";
import { Instance } from "./components/instance";
import { callerNetworks } from "./components/kit/caller-networks";
import { endWithoutEngine } from "./components/kit/engine-gone";
import { previewPrices } from "./components/kit/price-preview";
import { userError } from "./components/kit/user-error";
import { Results } from "./components/results";
import { Run } from "./components/run";
import { SelfTermination } from "./components/self-termination";
import { Standing } from "./components/standing";
import { Workspace } from "./components/workspace";
import { drawsRows } from "./engine/link/rows";
import { paceOf, StatusLine } from "./engine/link/status-line";
import { unreachable } from "./plan/git";
import { makePlan } from "./plan/plan";
import { PlanError } from "./plan/problems";
import { smokeTest } from "./plan/smoke";
import type { Plan } from "./plan/types";

/** The stack's configuration under the project's namespace: key without namespace → text. */
function stackConfig(): Record<string, string> {
  const namespace = `${pulumi.getProject()}:`;
  const ours = Object.entries(runtime.allConfig()).filter(([key]) => key.startsWith(namespace));
  refuseKeysInClear(namespace, Object.fromEntries(ours));
  return Object.fromEntries(ours.map(([key, value]) => [key.slice(namespace.length), value]));
}

/** The engine copies the configuration into the state: plain text in the stack's file stays plain text there. */
function refuseKeysInClear(namespace: string, config: Readonly<Record<string, string>>): void {
  // The SDK exports it, without a type.
  const { isConfigSecret } = runtime as unknown as { isConfigSecret(key: string): boolean };
  const problems = ["apiKey", "selfTerminateApiKey"]
    .filter((name) => config[namespace + name] !== undefined && !isConfigSecret(namespace + name))
    .map((name) => ({
      field: namespace + name,
      value: "plain text",
      message: "an API key must be a secret of the configuration; otherwise the state would hold it in plain text",
      next: `Revoke this key. Then set another: npm run pulumi -- config set --secret ${name}`,
    }));
  if (problems.length > 0) throw new PlanError(problems);
}

/** The plan, after everything that can fail for free has been tried. A preview runs nothing of the workload's. */
async function checkedPlan(config: Readonly<Record<string, string>>): Promise<Plan> {
  const plan = await tellingStatus((status) => makePlan(pulumi.getStack(), config, status));
  const { source, commit, unfetched } = plan.workload;
  if (pulumi.runtime.isDryRun()) {
    if (unfetched !== undefined) pulumi.log.warn(`workload.source: ${unfetched}. Shown is ${commit}, as last fetched.`);
    return plan;
  }
  // The last fetched commit may be older than the one that the user wants.
  if (unfetched !== undefined) throw unreachable(source, unfetched);
  smokeTest(plan.workload);
  return plan;
}

/** Runs what may take minutes before the first resource has a row: what it does is shown in the stack's row. */
async function tellingStatus<T>(run: (status: StatusLine["tell"]) => Promise<T>): Promise<T> {
  const show = (text: string): void => void pulumi.log.info(text, undefined, undefined, true).catch(() => {});
  const line = new StatusLine(show, paceOf(drawsRows()));
  let begun = false;
  try {
    const result = await run((phase, detail) => {
      begun = true;
      line.tell(phase, detail);
    });
    // The row shows its last line until the update ends.
    if (begun) line.tell("", "code and dataset are read");
    return result;
  } finally {
    line.end();
  }
}

/** The program: configuration → plan → components → outputs. */
async function program(): Promise<pulumi.Output<Record<string, unknown>> | Record<string, unknown>> {
  endWithoutEngine();
  const config = stackConfig();
  const plan = await checkedPlan(config).catch((error: unknown) => {
    throw error instanceof PlanError ? userError(error.message) : error;
  });

  const instance = new Instance("instance", { plan, sshSources: await callerNetworks(plan.cloud) });
  const place = { instanceId: instance.id, access: instance.access };

  // Before any upload: an `up` that fails half-way also leaves an instance that bills.
  const selfTermination = plan.cloud.selfTermination && new SelfTermination("self-termination", { ...place, plan });
  // A running run keeps everything that it depends on: from here on, the plan is the one in force there.
  const standing = await new Standing("standing", { ...place, plan }).plan;
  const onInstance = { ...place, plan: standing };
  const workspace = new Workspace("workspace", { ...place, workload: standing.workload });
  const dataset = standing.dataset && new Dataset("dataset", onInstance, { dependsOn: workspace });
  const environment = new Environment("environment", onInstance, { dependsOn: workspace });
  const ready = dataset === undefined ? [environment] : [environment, dataset];
  const gate = new Gate("gate", onInstance, { dependsOn: ready });
  const results = new Results("results", onInstance, { dependsOn: gate });
  const run = new Run(
    "run",
    { ...onInstance, resultsId: results.guardId, bill: instance.bill },
    { dependsOn: selfTermination === undefined ? results : [results, selfTermination] },
  );
  const { startId, attempt } = run;
  const evaluation =
    standing.evaluation && new Evaluation("evaluation", { ...onInstance, startId, attempt }, { dependsOn: run });
  await previewPrices(plan.cloud, instance.id, config.apiKey);

  return {
    instanceId: instance.id,
    instanceType: instance.instanceType,
    region: instance.region,
    instanceIp: instance.ip,
    pricePerHour: instance.pricePerHour,
    sshCommand: `npm run ssh -- --stack ${plan.stack}`,
    experiment: standing.run.experiment,
    runStatus: run.state,
    logPath: run.logPath,
    attachCommand: `npm run attach -- --stack ${plan.stack}`,
    ...(standing.dashboard && { dashboardUrl: `npm run dashboard -- --stack ${plan.stack}` }),
    resultsDirectory: results.directory,
    metrics: evaluation?.metrics ?? {},
  };
}

export = program;
