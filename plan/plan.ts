import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { basename, dirname, isAbsolute, join, posix, resolve } from "node:path";
import { hashFile } from "../local/folder/hashes";
import { LocalReadError, unreadable } from "../local/folder/local-error";
import { reading } from "../local/folder/progress";
import { walkAll, walkCode } from "../local/folder/walk";
import { isPointer, refusePointers } from "../local/git/lfs";
import { originOf } from "../local/git/repository";
import type { Listener } from "../local/listener";
import { cacheFolder, hashFolder, ownPaths, projectFolder } from "../local/paths";
import { archiveFault } from "./archive";
import { bucketProblems, resultsBucket } from "./bucket";
import { cacheProblems, datasetCache, environmentCache } from "./cache";
import { checkpointsPlan, copiesFolder, copyProblems, resumePlan } from "./checkpoints";
import { clusterProblems, dashboardPlan } from "./cluster";
import { containerProblems } from "./container";
import { findDataset } from "./dataset";
import { type Experiment, readExperiment } from "./experiment";
import { fleetSize, machinesOf, runsOf } from "./fleet";
import { hubProblems } from "./hub";
import { isConfigRewritten, namedBySetup } from "./made-by-setup";
import { passesOn } from "./pass-on";
import { PlanError, type Problem } from "./problems";
import { projectFilesIn } from "./project-files";
import { secretProblems } from "./secret-problems";
import { findSecrets, secretsOf } from "./secrets";
import { cloudPlan, parseStackConfig, placeProblems, protectProblems, type StackConfig } from "./stack-config";
import { definitionOf } from "./sweep-definition";
import { sweptPaths, sweptPlaces } from "./sweep-names";
import type {
  ConfigPlan,
  DatasetPlan,
  DatasetSource,
  EnvironmentPlan,
  MachinePlan,
  Plan,
  PlannedRun,
  SweepPlan,
} from "./types";
import { uvInputs, uvPlan } from "./uv";
import { type FoundWorkload, fill, findWorkload, setupScript } from "./workload";

/**
 * Makes the plan of a stack: reads its configuration and experiment file, and checks everything that can be checked
 * without renting anything or reaching any cloud.
 * @param stack Name of the stack.
 * @param raw The stack's configuration under `lambda-train:`, key without namespace → text.
 * @param onStatus Takes how far the reading of code and dataset is: that may take minutes.
 * @throws PlanError with every problem found, of all fields together.
 */
export async function makePlan(
  stack: string,
  raw: Readonly<Record<string, string>>,
  onStatus?: Listener["status"],
): Promise<Plan> {
  const root = projectFolder();
  const { config, experiment } = readBoth(raw, root);
  // Commands that run here may print one. Whether all are here is for an `up` to ask.
  findSecrets(secretsOf(experiment.environment.secrets), { environment: process.env, configured: raw.secrets });
  const size = fleetSize({ config, experiment });
  const workload = findWorkload(experiment, root, cacheFolder());
  const dataset = findDataset(experiment, root, workload.folder, cacheFolder());
  // Training writes where it runs; everything else reads paths from the workspace.
  const outputs = pathIn(experiment.train.directory, experiment.results.outputs);
  const kept = [outputs, ...(experiment.dataset ? [pathIn(experiment.dataset.target)] : [])];
  const protectedPaths = [...kept, ...projectFilesIn(workload.folder)];
  const { extraFiles } = workload;
  const code = await readable("workload.source", experiment.workload.source, () =>
    walkCode(workload.folder, {
      extraFiles,
      broughtFiles: ownPaths(experiment.workload.files),
      protectedPaths,
      ...reads("reading the code", onStatus),
    }),
  );
  const origin = await readable("workload.source", experiment.workload.source, () =>
    originOf(workload.folder, protectedPaths, code.repositories),
  );
  const { fileSystem } = config;
  const { brought, bytes = 0 } = dataset === undefined ? {} : await datasetPlan(experiment, dataset, onStatus);
  const datasetOnInstance = brought && { ...brought, ...datasetCache(brought, experiment, fileSystem) };
  const made = environmentPlan(experiment, workload, code.hash, datasetOnInstance);
  const environment = { ...made, ...environmentCache(made, experiment, fileSystem) };
  const sweep = sweepPlan(experiment, workload);
  // A trial has a name of its own, and may have a config of its own.
  const values =
    sweep === undefined
      ? { config: workload.config, experiment: experiment.experiment }
      : { config: sweep.template === undefined ? workload.config : undefined };
  const machine: Omit<MachinePlan, "machine"> = {
    cloud: cloudPlan(config),
    workload: {
      name: workload.name,
      folder: workload.folder,
      source: experiment.workload.source,
      commit: workload.commit ?? origin.commit,
      ref: workload.ref ?? origin.ref,
      changed: origin.changed,
      repository: origin.key,
      unfetched: workload.unfetched,
      extraFiles,
      files: experiment.workload.files,
      protectedPaths,
      smoke: experiment.workload.smoke,
      hash: code.hash,
    },
    dataset: datasetOnInstance,
    environment,
    gate: {
      gpu: experiment.gate.gpu,
      architecture: experiment.gate.architecture,
      minDiskGiB: experiment.gate.minDiskGiB,
      modules: experiment.gate.modules,
      command: experiment.gate.command,
      timeoutSeconds: experiment.gate.timeoutMinutes * 60,
    },
  };
  return {
    stack,
    machines: machinesOf(machine, size, passesOn(datasetOnInstance, bytes, size.machines)),
    runs: runsOf(
      runPlan(experiment, { stack, outputs, folder: copiesFolder(config, stack), workload, values, sweep }),
      size,
      sweep,
    ),
    results: { directory: posix.join(experiment.results.directory, stack) },
    onChange: experiment.train.onChange,
  };
}

/** The run of an experiment, and what looks on. */
function runPlan(
  { experiment, train, checkpoints, environment, results, evaluate, dashboard }: Experiment,
  {
    stack,
    outputs,
    folder,
    workload: { config, configText, madeConfig, overriddenConfig },
    values,
    sweep,
  }: {
    readonly stack: string;
    /** Folder in the workspace in which the workload writes results. */
    readonly outputs: string;
    /** Folder on the stack's file system for copies of checkpoints, without the experiment's name; undefined without one. */
    readonly folder: string | undefined;
    /** Tells the config that the run reads. */
    readonly workload: FoundWorkload;
    /** What placeholders in commands stand for. */
    readonly values: Parameters<typeof fill>[1];
    readonly sweep?: SweepPlan;
  },
): Omit<PlannedRun, "name" | "machine"> {
  const command = fill(train.command, values);
  const resume = resumePlan(train, values);
  const variables = { ...environment.variables, ...train.variables };
  const { nodes, processes, cluster } = train;
  const bucket = resultsBucket({ experiment, results, environment }, stack);
  return {
    config: configPlan(train, config),
    run: {
      experiment,
      command,
      ...(processes !== undefined && { processes }),
      ...(cluster !== undefined && { cluster }),
      resume,
      checkpoints: checkpointsPlan({ experiment, checkpoints, train, results, environment }, { folder, stack }),
      directory: train.directory,
      variables,
      ...secretsPlan(environment),
      madeConfig,
      overriddenConfig,
      outputs,
      ...(bucket !== undefined && { bucket }),
      include: results.include,
      exclude: results.exclude,
      firstStepPattern: train.firstStepPattern,
      firstStepTimeoutSeconds: train.firstStepTimeoutMinutes * 60,
      waitFor: train.waitFor,
      ...(train.whenDone === "down" && { whenDone: train.whenDone }),
      graceSeconds: train.graceSeconds,
      maxSeconds: train.maxHours === undefined ? undefined : Math.ceil(train.maxHours * 3600),
      idleSeconds: train.idleMinutes === undefined ? undefined : Math.ceil(train.idleMinutes * 60),
      hash: sha256(
        ...[experiment, command, train.directory, variables, configText ?? null],
        // Who resumes by itself runs the same command.
        ...(resume?.command === undefined ? [] : [resume]),
        ...(madeConfig === undefined ? [] : [{ madeConfig }]),
        ...(nodes === 1 && processes === undefined && cluster === undefined ? [] : [{ nodes, processes, cluster }]),
        ...(sweep === undefined ? [] : [{ sweep: sweep.places }]),
      ),
    },
    evaluation:
      evaluate === null
        ? undefined
        : {
            command: evaluate.command,
            checkpoint: evaluate.checkpoint,
            metrics: evaluate.metrics,
            timeoutSeconds: evaluate.timeoutMinutes * 60,
          },
    dashboard: dashboardPlan({ train, dashboard }),
  };
}

/** A plan without secrets has no trace of them: that of an earlier release stays the same. */
function secretsPlan({ secrets }: Experiment["environment"]): Pick<EnvironmentPlan, "secrets"> {
  const sources = secretsOf(secrets);
  return sources.length === 0 ? {} : { secrets: sources };
}

/** @throws PlanError where the values of a sweep can't be used */
function sweepPlan(experiment: Experiment, { config }: FoundWorkload): SweepPlan | undefined {
  const { sweep } = experiment;
  if (sweep === undefined) return undefined;
  const { definition, problems } = definitionOf(sweep);
  if (problems.length > 0) throw new PlanError(problems);
  const { gpusPerRun, runsPerMachine } = sweep;
  const template = sweptPaths(experiment).length > 0 ? config : undefined;
  const places = sweptPlaces(experiment);
  return { places, definition, template, gpusPerRun, runsPerMachine, hash: sha256(definition) };
}

/** @param path The config that training gets. */
function configPlan({ config, overrides }: Experiment["train"], path: string | undefined): ConfigPlan | undefined {
  if (path === undefined) return undefined;
  return path === config ? { path } : { path, base: config ?? undefined, overrides: JSON.stringify(overrides) };
}

/** Reads stack configuration and experiment file; what is wrong in either is reported together. */
function readBoth(
  raw: Readonly<Record<string, string>>,
  root: string,
): { config: StackConfig; experiment: Experiment } {
  const problems: Problem[] = [];
  const attempt = <T>(read: () => T): T | undefined => {
    try {
      return read();
    } catch (error) {
      if (!(error instanceof PlanError)) throw error;
      problems.push(...error.problems);
      return undefined;
    }
  };
  const config = attempt(() => parseStackConfig(raw));
  const file = raw.experiment;
  const experiment =
    file === undefined ? undefined : attempt(() => readExperiment(isAbsolute(file) ? file : resolveIn(root, file)));
  if (config !== undefined) problems.push(...placeProblems(config), ...protectProblems(config));
  if (experiment !== undefined)
    problems.push(...secretProblems(experiment), ...bucketProblems(experiment), ...hubProblems(experiment));
  if (config !== undefined && experiment !== undefined) {
    problems.push(...cacheProblems(config, experiment), ...copyProblems(config, experiment));
    problems.push(...clusterProblems(experiment), ...containerProblems(config, experiment));
  }
  if (problems.length > 0 || config === undefined || experiment === undefined) throw new PlanError(problems);
  const name = config.experimentName ?? experiment.experiment;
  return { config, experiment: { ...experiment, experiment: name } };
}

/** A path in the workspace, in the one form in which paths are compared. */
function pathIn(...parts: readonly string[]): string {
  return posix.join(...parts).replace(/\/$/, "");
}

/** Relative where possible, so that messages show the path that the user wrote. */
function resolveIn(root: string, file: string): string {
  return process.cwd() === root ? file : join(root, file);
}

/** How a folder is read. */
function reads(
  phase: string,
  onStatus: Listener["status"],
): { readonly hashFolder: string; readonly onReading: (detail: string) => void } {
  return { hashFolder: hashFolder(), onReading: (detail) => onStatus?.(phase, detail) };
}

async function datasetPlan(
  experiment: Experiment,
  source: DatasetSource,
  onStatus: Listener["status"],
): Promise<{ readonly brought: DatasetPlan; readonly bytes: number }> {
  const { target = "data", splits = [] } = experiment.dataset ?? {};
  const { hash, bytes } = await readable("dataset.source", experiment.dataset?.source, () =>
    contentOf(source, reads("reading the dataset", onStatus)),
  );
  if (source.kind === "archive") {
    onStatus?.("reading the dataset", "looking into the archive");
    const fault = await archiveFault(source.path, { target, splits }, cacheFolder());
    const field = "dataset.source";
    if (fault !== undefined) throw new PlanError([{ field, value: experiment.dataset?.source, ...fault }]);
  }
  const token = experiment.dataset?.token;
  return { brought: { source, target, splits, hash, ...(token !== undefined && { token }) }, bytes };
}

/** What is read of files that a field names. @throws PlanError where they cannot be sent as they are */
async function readable<T>(field: string, value: unknown, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof LocalReadError) throw new PlanError([{ field, value, message: error.message }]);
    throw error;
  }
}

/** What this machine can tell of what the dataset holds. */
interface Content {
  readonly hash: string;
  /** Bytes that lie here. */
  readonly bytes: number;
}

async function contentOf(source: DatasetSource, how: ReturnType<typeof reads>): Promise<Content> {
  switch (source.kind) {
    case "folder":
      return await walkAll(source.path, how);
    case "archive":
      refusePointers("dataset", dirname(source.path), isPointer(source.path) ? [basename(source.path)] : []);
      return {
        hash: await hashArchive(source.path, how.onReading).catch((error: unknown) => unreadable(source.path, error)),
        bytes: statSync(source.path).size,
      };
    case "url":
    case "bucket":
      return { hash: sha256(source.url, source.sha256 ?? ""), bytes: 0 };
    case "hub":
      return { hash: sha256(source.endpoint, source.repository, source.revision, source.path), bytes: 0 };
    case "fileSystem":
      return { hash: sha256(source.path), bytes: 0 };
  }
}

function hashArchive(path: string, onReading: (detail: string) => void): Promise<string> {
  const tell = reading(onReading);
  tell.begin(1);
  return hashFile(path, tell.hashed);
}

const environmentFiles =
  /^(environment.*\.ya?ml|requirements.*\.txt|pyproject\.toml|setup\.(py|cfg)|uv\.lock|poetry\.lock|Pipfile(\.lock)?)$/;

/** The environment, with a hash over the files whose change must run setup again. */
function environmentPlan(
  experiment: Experiment,
  { folder, madeConfig }: FoundWorkload,
  codeHash: string,
  dataset?: DatasetPlan,
): EnvironmentPlan {
  const { environment } = experiment;
  const script = setupScript(environment.setup);
  const inputs = [
    ...(script === undefined ? [] : [pathIn(script)]),
    ...readdirSync(folder).filter((name) => environmentFiles.test(name)),
    ...(environment.file === undefined ? [] : [environment.file]),
    ...uvInputs(environment),
    ...environment.inputs,
    ...(madeConfig === undefined ? [] : namedBySetup(environment.setup ?? "", folder)),
  ].filter((path, index, all) => all.indexOf(path) === index && existsSync(join(folder, path)));
  const contents = inputs.map((path) => sha256(readFileSync(resolve(folder, path), "base64")));
  const { setup, manager, file, activate, answer, variables, waitForDataset } = environment;
  const { image } = environment;
  // A key that is not set is no part of the plan or its hash: these are those of releases which didn't know the key.
  const more = { ...uvPlan(environment), ...(image !== undefined && { image }) };
  const reads = waitForDataset ? [dataset?.hash] : [];
  return {
    setup: setup ?? undefined,
    manager,
    file,
    ...more,
    activate,
    waitsForDataset: waitForDataset || undefined,
    answer,
    timeoutSeconds: environment.timeoutMinutes * 60,
    variables,
    ...secretsPlan(environment),
    inputs,
    hash: sha256(
      ...[{ setup, manager, file, answer, variables, activate, ...more }, inputs, contents, ...reads],
      // The next upload puts the repository's version back: then setup must rewrite it.
      ...(isConfigRewritten(experiment, folder) ? [codeHash] : []),
    ),
  };
}

function sha256(...parts: unknown[]): string {
  return createHash("sha256").update(JSON.stringify(parts)).digest("hex");
}
