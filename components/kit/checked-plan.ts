import * as pulumi from "@pulumi/pulumi";
import { drawsRows } from "../../engine/link/rows";
import { paceOf, StatusLine } from "../../engine/link/status-line";
import { bucketFor } from "../../plan/bucket";
import { unreachable } from "../../plan/git";
import { makePlan } from "../../plan/plan";
import { findSecrets, requireSecrets } from "../../plan/secrets";
import { smokeTest } from "../../plan/smoke";
import type { Plan, RunPlan } from "../../plan/types";
import { agentText } from "../../remote/agent";
import { withRegions } from "./file-system-region";

/** The plan, after everything that can fail for free has been tried. Of the workload's, a preview runs dataset.prepare alone. */
export async function checkedPlan(config: Readonly<Record<string, string>>): Promise<Plan> {
  const made = await tellingStatus((status) => makePlan(pulumi.getStack(), config, status));
  checkSecrets(made, config.secrets);
  const plan = await withRegions(made, config.apiKey);
  for (const { workload } of plan.machines) {
    const { source, commit, unfetched } = workload;
    if (pulumi.runtime.isDryRun()) {
      if (unfetched !== undefined)
        pulumi.log.warn(`workload.source: ${unfetched}. Shown is ${commit}, as last fetched.`);
      continue;
    }
    // The last fetched commit may be older than the one that the user wants.
    if (unfetched !== undefined) throw unreachable(source, unfetched);
    smokeTest(workload);
  }
  if (pulumi.runtime.isDryRun()) {
    for (const { run } of plan.runs) tellMadeConfig(run);
    tellBucket(plan.runs);
  }
  return plan;
}

/** A preview needs no secret: it tells what an `up` will find here. */
function checkSecrets(plan: Plan, configured: string | undefined): void {
  const secrets = plan.machines[0]?.environment.secrets ?? [];
  if (secrets.length === 0) return;
  // What an instance answers is masked there: a secret that is one of its words would make the answer unreadable.
  const places = { environment: process.env, configured, clear: `${JSON.stringify(plan)}\n${agentText()}` };
  if (!pulumi.runtime.isDryRun()) return void requireSecrets(secrets, places);
  const { from, problems } = findSecrets(secrets, places);
  const found = Object.entries(from).map(([name, where]) => `${name} from ${where}`);
  if (found.length > 0) pulumi.log.info(`environment.secrets: ${found.join(", ")}`);
  for (const { field, message, next } of problems)
    pulumi.log.warn(`${field}: ${message}, and \`up\` refuses to start. ${next}`);
}

function tellBucket([first]: Plan["runs"]): void {
  const { bucket, node, experiment } = first?.run ?? {};
  if (first === undefined || bucket === undefined) return;
  const home = bucket.home ? ". They count as home there, and `down` downloads nothing" : "";
  const at = (name: string): string => bucketFor(bucket, name).url;
  const copied =
    first.worker !== undefined
      ? `each trial's results are copied to ${at(`${experiment}-t<number>`)} when it has ended`
      : node === undefined
        ? `the instance copies the results to ${bucket.url} when the run has ended`
        : `the results are copied to ${bucket.url} when the run has ended, and what other ranks wrote to ` +
          `${at(`rank.<number>/${experiment}`)}`;
  pulumi.log.info(`results.bucket: ${copied}${home}.`);
}

function tellMadeConfig({ madeConfig }: RunPlan): void {
  if (madeConfig === undefined) return;
  const fit = madeConfig.overrides === undefined ? "" : " and whether the overrides fit";
  pulumi.log.info(`train.config: setup makes ${madeConfig.path}. What it holds${fit} is known only after setup.`);
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
