import { createHash } from "node:crypto";
import { posix } from "node:path";
import type { StandingPlan } from "../plan/standing";
import type {
  CheckpointsPlan,
  DatasetPlan,
  EvaluationPlan,
  Job,
  MachinePlan,
  PlannedRun,
  Variables,
} from "../plan/types";
import { renderCall } from "./agent";
import { provenanceOf, type StartedOn } from "./provenance";
import { addsToItself } from "./quote";

/** Name under which an upload to this path (relative to the home folder) keeps its manifest on the instance. */
export function uploadName(path: string): string {
  return path.replaceAll("/", "-");
}

/** The dataset's folder on the instance, relative to the home folder. */
export function datasetPath(plan: MachinePlan): string {
  return `${plan.workload.name}/${datasetOf(plan).target}`;
}

/** Where an archive is uploaded to (`remotePath` of `uploadArchive`), relative to the home folder. */
export function archivePath(plan: MachinePlan): string {
  return `.lambda-train/archives/${datasetOf(plan).hash}`;
}

/** Name of the tmux session of an experiment: tmux takes neither `.` nor `:`. */
export function tmuxSession(experiment: string): string {
  return experiment.replaceAll(/[.:]/g, "_");
}

/** What runs on a machine, as far as its gate and its setup must know. */
type Trained = MachinePlan & { readonly runs: readonly Pick<PlannedRun, "run">[] };

/**
 * Makes the environment and runs the workload's setup command, once for the same `environment.hash`. Then imports what the
 * gate will ask for: frameworks take seconds, in which the dataset may still be on its way.
 */
export function renderSetup(plan: Trained): string {
  const { environment, workload } = plan;
  const { manager, file = "", setup = "", activate, answer, variables, hash, timeoutSeconds } = environment;
  // The workspace is the folder of that name in the home folder.
  const place = { workspace: workload.name, workload: workload.name };
  const described = { ...place, manager, file, setup, activate, answer, variables };
  const document = {
    hash,
    seconds: timeoutSeconds,
    setup: described,
    imports: plan.runs.length > 0 ? importsOf(plan) : undefined,
  };
  return renderCall({ verb: "setup", document });
}

/** What the gate asks of the Python that trains. */
function importsOf({ gate, runs }: Trained): object {
  return {
    gpu: gate.gpu,
    modules: gate.modules,
    trains: runs.map(({ run: { command, directory } }) => ({ command, directory })),
    seconds: gate.timeoutSeconds,
  };
}

const extractSeconds = 12 * 3600;

/** Brings the dataset to its place (or checks the upload of a folder), once for the same content, target and splits. */
export function renderExtract(plan: MachinePlan): string {
  const dataset = datasetOf(plan);
  const { source, target, splits } = dataset;
  const described = {
    workspace: plan.workload.name,
    target,
    kind: source.kind,
    path: source.kind === "archive" ? archivePath(plan) : source.kind === "fileSystem" ? source.path : "",
    url: source.kind === "url" ? source.url : "",
    sha256: source.kind === "url" ? (source.sha256 ?? "") : "",
    splits,
  };
  const document = { hash: datasetStepHash(dataset), seconds: extractSeconds, dataset: described };
  return renderCall({ verb: "extract", document });
}

/** Hash under which the instance brings such a dataset to its place once. */
export function datasetStepHash({ hash, target, splits }: DatasetPlan): string {
  return createHash("sha256")
    .update(JSON.stringify([hash, target, splits]))
    .digest("hex");
}

/** Hashes of what a run stands on. */
export interface StandsOn {
  /** Of its own settings. */
  readonly hash: string;
  /** Of code, data and environment. */
  readonly stands: string;
}

/** Hash of what a run stands on besides its own settings: code, data and environment. */
export function standsHash({
  workload,
  dataset,
  environment,
}: Pick<StandingPlan, "workload" | "dataset" | "environment">): string {
  const on = [
    workload.hash,
    dataset === undefined || dataset === null ? null : datasetStepHash(dataset),
    environment.hash,
  ];
  return createHash("sha256").update(JSON.stringify(on)).digest("hex");
}

/** The gate. Prints a line for each check. */
export function renderVerify(plan: Trained): string {
  const { dataset, gate, workload, runs } = plan;
  const workspace = workload.name;
  const uploads = [workspace, ...(dataset?.source.kind === "folder" ? [datasetPath(plan)] : [])];
  const document = {
    workspace,
    dataset: dataset && { target: dataset.target, splits: dataset.splits },
    uploads: uploads.map((folder) => ({ name: uploadName(folder), folder })),
    ...importsOf(plan),
    architecture: gate.architecture,
    disk: gate.minDiskGiB,
    command: gate.command,
    ...configsOf(runs),
  };
  return renderCall({ verb: "verify", document });
}

/** The configs of which only the instance can tell that they are as training expects them. */
function configsOf(runs: readonly Pick<PlannedRun, "run">[]): { readonly configs?: readonly object[] } {
  const configs = runs.flatMap(({ run: { directory, madeConfig, overriddenConfig } }) => [
    ...(madeConfig === undefined ? [] : [{ path: posix.join(directory, madeConfig.path) }]),
    ...(overriddenConfig === undefined
      ? []
      : [{ path: posix.join(directory, overriddenConfig.path), sha256: overriddenConfig.sha256 }]),
  ]);
  return configs.length === 0 ? {} : { configs };
}

/**
 * Starts the run, or finds it going or done; one that goes on takes over changed limits. Exit status 3: a run with
 * another hash goes on; 4: its limit or budget is used up.
 * @param spentAt Time at which the instance has cost its budget, in milliseconds since the epoch; undefined for no limit.
 * @param on The instance, for the record of what ran.
 */
export function renderStart(plan: Job, spentAt?: number, on?: StartedOn): string {
  const { run, evaluation } = plan;
  const { experiment, hash, command, directory, resume, checkpoints, outputs, firstStepPattern, graceSeconds } = run;
  const document = {
    experiment,
    hash,
    stands: standsHash(plan),
    ...(run.madeConfig && { config: run.madeConfig.overrides?.target ?? run.madeConfig.path }),
    run: {
      workspace: plan.workload.name,
      directory,
      command,
      resume,
      ...(checkpoints?.folder !== undefined && { sync: syncOf(checkpoints, checkpoints.folder) }),
      variables: variablesOfRun(plan),
      outputs,
      firstStepPattern,
      grace: Math.ceil(graceSeconds),
      evaluation: evaluation && evaluationOf(evaluation),
    },
    limits: {
      maxSeconds: wholeSeconds(run.maxSeconds),
      idleSeconds: wholeSeconds(run.idleSeconds),
      // Stopping takes its time too.
      deadline: wholeSeconds(spentAt === undefined ? undefined : spentAt / 1000 - graceSeconds),
    },
    results: { include: run.include ?? [], exclude: run.exclude ?? [] },
    provenance: provenanceOf(plan, on),
  };
  return renderCall({ verb: "start", document });
}

/** What the agent is told of copies of checkpoints. */
function syncOf({ keep, everySeconds, checkpoint }: CheckpointsPlan, to: string): object {
  return { to, keep, seconds: Math.ceil(everySeconds), checkpoint };
}

/** Variables that a run sets. The environment is loaded before: what adds to a value there is not added again. */
function variablesOfRun({ run, environment }: Job): Variables {
  const entries = Object.entries(run.variables);
  return Object.fromEntries(
    entries.filter(([name, value]) => !(addsToItself(name, value) && environment.variables[name] === value)),
  );
}

function wholeSeconds(seconds: number | undefined): number | undefined {
  return seconds === undefined ? undefined : Math.ceil(seconds);
}

/** What the agent is told of an evaluation. */
export function evaluationOf({ command, checkpoint, timeoutSeconds }: EvaluationPlan): object {
  return { command, checkpoint, seconds: Math.ceil(timeoutSeconds) };
}

function datasetOf(plan: MachinePlan): DatasetPlan {
  if (plan.dataset === undefined) {
    throw new Error("The plan has no dataset: set dataset.source in the experiment file.");
  }
  return plan.dataset;
}
