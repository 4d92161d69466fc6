import { createHash } from "node:crypto";
import { posix } from "node:path";
import type { StandingPlan } from "../plan/standing";
import type { DatasetPlan, EvaluationPlan, HubPlace, MachinePlan, PlannedRun } from "../plan/types";
import { renderCall } from "./agent";
import { archiveOfCache, uploadOfCache } from "./cache-paths";

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
  const { cache, hash } = datasetOf(plan);
  return cache === undefined ? `.lambda-train/archives/${hash}` : archiveOfCache(cache);
}

/** Name of the tmux session of an experiment: tmux takes neither `.` nor `:`. */
export function tmuxSession(experiment: string): string {
  return experiment.replaceAll(/[.:]/g, "_");
}

/** How a machine of a fleet is reached by the others. */
export interface Peer {
  readonly machine: string;
  /** Best first. Empty ones are left out. */
  readonly addresses: readonly string[];
  readonly port: number;
  /** An OpenSSH line. */
  readonly hostKey: string;
}

/** Writes down how a machine reaches the others of its fleet, and lets them ask its agent. */
export function renderJoin(told: {
  readonly me: string;
  readonly privateKey: string;
  readonly publicKey: string;
  readonly peers: readonly Peer[];
}): string {
  const { me, privateKey, publicKey, peers } = told;
  const machines = Object.fromEntries(
    peers.map(({ machine, addresses, port, hostKey }) => {
      const known = addresses.filter((address) => address !== "");
      return [machine, { addresses: known, port, hostKey: hostKey.split(" ").slice(0, 2).join(" ") }];
    }),
  );
  return renderCall({ verb: "fleet-join", document: { me, privateKey, publicKey, machines } });
}

/** What rank 0 is told of the all-reduce among the machines of a training. */
export interface NodesCheck {
  /** By rank. */
  readonly machines: readonly string[];
  readonly train: { readonly workspace: string; readonly directory: string; readonly command: string };
  /** For each part of it. */
  readonly seconds: number;
}

/** The all-reduce before a training on several machines. */
export function nodesCheckOf({ workload, gate, runs }: Trained): NodesCheck {
  const run = runs.find(({ run: { node } }) => node !== undefined)?.run;
  if (run?.node === undefined) throw new Error("The plan has no training on several machines.");
  const { directory, command, node } = run;
  const train = { workspace: workload.name, directory, command };
  return { machines: node.machines, train, seconds: gate.timeoutSeconds };
}

/** What runs on a machine, as far as its gate and its setup must know. */
type Trained = MachinePlan & { readonly runs: readonly Pick<PlannedRun, "run">[] };

/**
 * Makes the environment and runs the workload's setup command, once for the same `environment.hash`. Then imports what the
 * gate will ask for: frameworks take seconds, in which the dataset may still be on its way.
 */
export function renderSetup(plan: Trained): string {
  const { environment, workload } = plan;
  const {
    manager,
    file = "",
    setup = "",
    activate,
    answer,
    variables,
    hash,
    timeoutSeconds,
    cache,
    uv,
    image,
  } = environment;
  // The workspace is the folder of that name in the home folder.
  const place = { workspace: workload.name, workload: workload.name };
  const shared = cache === undefined ? {} : { cache: { folder: cache, by: plan.machine } };
  const newer = { ...(uv && { uv }), ...(image !== undefined && { image }) };
  const described = { ...place, manager, file, setup, activate, answer, variables, ...shared, ...newer };
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
    modules: modulesOf(gate, runs),
    trains: runs.map(({ run: { command, directory } }) => ({ command, directory })),
    seconds: gate.timeoutSeconds,
  };
}

/** A cluster is of the environment's own package. */
function modulesOf({ modules }: Trained["gate"], runs: Trained["runs"]): readonly string[] {
  const clusters = runs.flatMap(({ run: { cluster } }) => cluster ?? []);
  return [...modules, ...new Set(clusters.filter((each) => !modules.includes(each)))];
}

const extractSeconds = 12 * 3600;

/** Brings the dataset to its place (or checks the upload of a folder), once for the same content, target and splits. */
export function renderExtract(plan: MachinePlan): string {
  const dataset = datasetOf(plan);
  const { source, target, splits, cache } = dataset;
  const described = {
    workspace: plan.workload.name,
    target,
    kind: source.kind,
    path: source.kind === "archive" ? archivePath(plan) : source.kind === "fileSystem" ? source.path : "",
    url: source.kind === "url" ? source.url : "",
    sha256: source.kind === "url" || source.kind === "bucket" ? (source.sha256 ?? "") : "",
    ...(source.kind === "bucket" && { bucket: { url: source.url, endpoint: source.endpoint, region: source.region } }),
    ...(source.kind === "hub" && { hub: hubOf(source) }),
    ...(dataset.token !== undefined && { token: dataset.token }),
    splits,
    ...(cache !== undefined && { cache: { root: cache, hash: dataset.hash, by: plan.machine } }),
  };
  const document = { hash: datasetStepHash(dataset), seconds: extractSeconds, dataset: described };
  return renderCall({ verb: "extract", document });
}

function hubOf({ endpoint, repository, revision, path }: HubPlace): HubPlace {
  return { endpoint, repository, revision, path };
}

/** Hash under which the instance brings such a dataset to its place once. */
export function datasetStepHash({ hash, target, splits, cache }: DatasetPlan): string {
  const placed = [hash, target, splits, ...(cache === undefined ? [] : [cache])];
  return createHash("sha256").update(JSON.stringify(placed)).digest("hex");
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
  const { source, cache } = dataset ?? {};
  const uploads = [workspace, ...(source?.kind === "folder" && cache === undefined ? [datasetPath(plan)] : [])];
  const cached = cache === undefined ? [] : [{ name: uploadOfCache(cache), folder: cache }];
  const document = {
    workspace,
    dataset: dataset && { target: dataset.target, splits: dataset.splits },
    uploads: [...uploads.map((folder) => ({ name: uploadName(folder), folder })), ...cached],
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
