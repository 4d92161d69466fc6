import { createHash } from "node:crypto";
import type { DatasetPlan, EvaluationPlan, Job, MachinePlan, Variables } from "../plan/types";
import { render } from "./bundle";
import { addsToItself, exportLines, variableLines } from "./quote";
import { writtenScripts } from "./written";

/** Name under which an upload to this path (relative to the home folder) keeps its manifest on the instance. */
export function uploadName(path: string): string {
  return path.replaceAll("/", "-");
}

/** The workspace on the instance, relative to the home folder. */
export function workspacePath(workload: string): string {
  return workload;
}

/** The dataset's folder on the instance, relative to the home folder. */
export function datasetPath(plan: MachinePlan): string {
  return `${workspacePath(plan.workload.name)}/${datasetOf(plan).target}`;
}

/** Where an archive is uploaded to (`remotePath` of `uploadArchive`), relative to the home folder. */
export function archivePath(plan: MachinePlan): string {
  return `.lambda-train/archives/${datasetOf(plan).hash}`;
}

/** Name of the tmux session of an experiment: tmux takes neither `.` nor `:`. */
export function tmuxSession(experiment: string): string {
  return experiment.replaceAll(/[.:]/g, "_");
}

/** Makes the environment and runs the workload's setup command, once for the same `environment.hash`. */
export function renderSetup(plan: MachinePlan): string {
  const { environment, workload } = plan;
  const variables = {
    LT_WORKSPACE: workspacePath(workload.name),
    LT_WORKLOAD: workload.name,
    LT_MANAGER: environment.manager,
    LT_FILE: environment.file ?? "",
    LT_SETUP: environment.setup ?? "",
    LT_ANSWER: environment.answer,
    LT_VARIABLES: variableLines(environment.variables),
  };
  const step = [
    "setup",
    environment.hash,
    String(environment.timeoutSeconds),
    "setup.sh",
    "$HOME/.lambda-train/env.sh",
  ];
  return render(["lib.sh", "step.sh", "setup.sh", "requirements.py"], variables, "step.sh", step);
}

const extractSeconds = 12 * 3600;

/** Brings the dataset to its place (or checks the upload of a folder), once for the same content, target and splits. */
export function renderExtract(plan: MachinePlan): string {
  const dataset = datasetOf(plan);
  const { source } = dataset;
  const variables = {
    LT_WORKSPACE: workspacePath(plan.workload.name),
    LT_DATASET_TARGET: dataset.target,
    LT_DATASET_KIND: source.kind,
    LT_DATASET_PATH: source.kind === "archive" ? archivePath(plan) : source.kind === "fileSystem" ? source.path : "",
    LT_DATASET_URL: source.kind === "url" ? source.url : "",
    LT_DATASET_SHA256: source.kind === "url" ? (source.sha256 ?? "") : "",
    LT_DATASET_SPLITS: dataset.splits.join("\n"),
  };
  const step = [
    "dataset",
    datasetStepHash(dataset),
    String(extractSeconds),
    "extract.sh",
    `$HOME/${datasetPath(plan)}`,
  ];
  return render(["lib.sh", "step.sh", "extract.sh", "extract-archive.py", "transfer.py"], variables, "step.sh", step);
}

/** Hash under which the instance brings such a dataset to its place once. */
export function datasetStepHash({ hash, target, splits }: DatasetPlan): string {
  return createHash("sha256")
    .update(JSON.stringify([hash, target, splits]))
    .digest("hex");
}

/** The gate. Prints a line for each check. */
export function renderVerify(plan: MachinePlan): string {
  const { dataset, gate, workload } = plan;
  const workspace = workspacePath(workload.name);
  const uploads = [workspace, ...(dataset?.source.kind === "folder" ? [datasetPath(plan)] : [])];
  const variables = {
    LT_WORKSPACE: workspace,
    LT_DATASET_TARGET: dataset?.target ?? "",
    LT_DATASET_SPLITS: dataset?.splits.join("\n") ?? "",
    LT_MANIFESTS: uploads.map((path) => `${uploadName(path)} ${path}`).join("\n"),
    LT_GPU: gate.gpu,
    LT_ARCHITECTURE: gate.architecture ?? "",
    LT_MIN_DISK_GIB: String(gate.minDiskGiB),
    LT_MODULES: gate.modules.join("\n"),
    LT_CHECK: gate.command ?? "",
    LT_TIMEOUT: String(gate.timeoutSeconds),
  };
  return render(
    ["lib.sh", "verify.sh", "transfer.py", "entries.py", "uploads.py", "times.py", "place.py", "receive.py"],
    variables,
    "verify.sh",
    [],
  );
}

/**
 * Starts the run, or finds it going or done; one that goes on takes over changed limits. Exit status 3: a run with
 * another hash goes on; 4: its limit or budget is used up.
 * @param spentAt Time at which the instance has cost its budget, in milliseconds since the epoch; undefined for no limit.
 */
export function renderStart(plan: Job, spentAt?: number): string {
  const { run } = plan;
  const description = {
    LT_WORKSPACE: workspacePath(plan.workload.name),
    LT_DIRECTORY: run.directory,
    LT_COMMAND: run.command,
    LT_RESUME: run.resume?.command ?? "",
    LT_RESUME_CHECKPOINT: run.resume?.checkpoint ?? "",
    LT_VARIABLES: variableLines(variablesOfRun(plan)),
    LT_OUTPUTS: run.outputs,
    LT_PATTERN: run.firstStepPattern,
    LT_GRACE: String(run.graceSeconds),
    ...evaluationVariables(plan),
  };
  const limits = {
    LT_MAX_SECONDS: wholeSeconds(run.maxSeconds),
    LT_IDLE_SECONDS: wholeSeconds(run.idleSeconds),
    // Stopping takes its time too.
    LT_DEADLINE: wholeSeconds(spentAt === undefined ? undefined : spentAt / 1000 - run.graceSeconds),
  };
  const { include = [], exclude = [] } = run;
  const variables = {
    LT_RUN: exportLines(description),
    LT_LIMITS: exportLines(limits),
    LT_RESULTS: JSON.stringify({ include, exclude }),
    LT_HASH: run.hash,
  };
  return render(runScripts, variables, "run.sh", [run.experiment]);
}

/** All that starts a run and sees it to its end. */
const runScripts = [
  ...["lib.sh", "run-processes.sh", "session.sh", "run.sh", "adopt.sh", "supervise.sh", "evaluate.sh"],
  ...["launch.py", "train.sh", "leftovers.py", "resume.py"],
  ...[...writtenScripts, "safety.py", "aside.py"],
];

/** What `status.sh` needs. */
export const statusScripts = ["lib.sh", "run-processes.sh", "resume.py", "status.sh"];

/** Gives a run whose supervisor was killed another one, with the same limits, log and end. Leaves every other run alone. */
export function renderAdopt(experiment: string): string {
  return render(runScripts, {}, "adopt.sh", [experiment]);
}

/** Variables that a run sets. The environment is loaded before: what adds to a value there is not added again. */
function variablesOfRun({ run, environment }: Job): Variables {
  const entries = Object.entries(run.variables);
  return Object.fromEntries(
    entries.filter(([name, value]) => !(addsToItself(name, value) && environment.variables[name] === value)),
  );
}

/** A run, by its plan or by its name alone. */
type OfRun = Job | { readonly experiment: string };

function wholeSeconds(seconds: number | undefined): string {
  return seconds === undefined ? "" : String(Math.ceil(seconds));
}

/** Prints the run's status as JSON. */
export function renderStatus(of: OfRun): string {
  return render(statusScripts, {}, "status.sh", [experimentOf(of)]);
}

/** Stops training cleanly and waits until it has ended. */
export function renderStop(of: OfRun, options: { readonly reason: string; readonly graceSeconds: number }): string {
  const words = [experimentOf(of), options.reason, String(Math.ceil(options.graceSeconds))];
  return render(["lib.sh", "run-processes.sh", "stop.sh"], {}, "stop.sh", words);
}

/** The parts of a plan that an evaluation needs. */
export interface EvaluatedPlan {
  readonly run: { readonly experiment: string };
  readonly evaluation?: EvaluationPlan;
}

/** Evaluates the best checkpoint unless that is done, and waits for it. */
export function renderEvaluate(plan: EvaluatedPlan): string {
  if (plan.evaluation === undefined) {
    throw new Error("The plan has no evaluation: set evaluate.command in the experiment file.");
  }
  const scripts = ["lib.sh", "run-processes.sh", "evaluate.sh"];
  return render(scripts, evaluationVariables(plan), "evaluate.sh", [plan.run.experiment]);
}

function evaluationVariables(plan: EvaluatedPlan): Record<string, string> {
  const { evaluation } = plan;
  return {
    LT_EVALUATE: evaluation?.command ?? "",
    LT_EVALUATE_CHECKPOINT: evaluation?.checkpoint ?? "",
    LT_EVALUATE_SECONDS: evaluation === undefined ? "" : String(Math.ceil(evaluation.timeoutSeconds)),
  };
}

function datasetOf(plan: MachinePlan): DatasetPlan {
  if (plan.dataset === undefined) {
    throw new Error("The plan has no dataset: set dataset.source in the experiment file.");
  }
  return plan.dataset;
}

function experimentOf(of: OfRun): string {
  return "run" in of ? of.run.experiment : of.experiment;
}
