/**
 * The validated plan: plain data, made from the stack's configuration and the experiment file before anything is
 * launched. Components and commands read it and nothing else.
 */

import type { MapTree } from "./yaml/tree";

/** Environment variables by name. */
export type Variables = Readonly<Record<string, string>>;

/** What to launch, and where. */
export interface CloudPlan {
  /** API base URL without trailing slash, or `emulated` for the emulated cloud of this project. */
  readonly endpoint: string;
  /** Acceptable instance types, best first. */
  readonly instanceTypes: readonly string[];
  /** Acceptable regions, best first. Empty: the file system's, until that is looked up. */
  readonly regions: readonly string[];
  /** Image family, or undefined for Lambda's default image. */
  readonly imageFamily?: string;
  /** Lambda file system to attach, mounted at `/lambda/nfs/<name>`. */
  readonly fileSystem?: { readonly name: string; readonly create: boolean };
  /** Seconds to wait for capacity before giving up. 0: one try at each type and region. */
  readonly capacityTimeoutSeconds: number;
  /** Seconds to wait for `active`, or undefined for a default by size of the instance. */
  readonly bootTimeoutSeconds?: number;
  /** IPv4 networks that may open SSH, or `auto` for the caller's own address. */
  readonly sshSources: readonly string[] | "auto";
  /** Public SSH keys of the user that may log in as well, each an OpenSSH line. */
  readonly recoveryKeys?: readonly string[];
  /** TCP port of sshd. */
  readonly sshPort?: number;
  /** How many instances the stack has, where there are several: they share the budget. */
  readonly instances?: number;
  /** Whether all of them are launched in one region, or none. */
  readonly together?: boolean;
  /** Most dollars that the stack's instances may cost from their launch on, or undefined for no limit. */
  readonly budgetDollars?: number;
  /** Hours that the run is expected to take, for the forecast. */
  readonly expectedHours?: number;
  /** Highest acceptable price in dollars per hour, or undefined for no limit. */
  readonly maxPricePerHour?: number;
  /** Whether the engine refuses to end or replace the instance. */
  readonly protect?: true;
  /** When the instance terminates itself, or undefined if it never does. */
  readonly selfTermination?: {
    /** Seconds after the last work of the stack there. */
    readonly afterSeconds: number;
    /** Also where its results are nowhere else. */
    readonly loseResults: boolean;
  };
}

/** A variable whose value is a secret, and where this machine may have it. Never the value. */
export interface SecretSource {
  readonly name: string;
  /** File that may hold it, as the user wrote it: relative to the project, or from `~/`. */
  readonly file?: string;
}

/** The user's repository. */
export interface WorkloadPlan {
  /** Name of the workload; its folder on the instance is `/home/ubuntu/<name>`. */
  readonly name: string;
  /** Local folder that is uploaded: the folder given, or the checkout of the git URL. Absolute. */
  readonly folder: string;
  /** What the user wrote: a folder or a git URL. */
  readonly source: string;
  /** Commit that was checked out; undefined for a folder that no repository knows, or without a commit. */
  readonly commit?: string;
  /** Branch or tag of that commit. */
  readonly ref?: string;
  /** Whether files differ from that commit. */
  readonly changed?: boolean;
  /** Tells apart what the folder's repositories know of it: commit, branch, tags, remote. Not part of the hash. */
  readonly repository?: string;
  /** Why the ref could not be looked up where it comes from: it may lead to a newer commit there. */
  readonly unfetched?: string;
  /** Files written into the workspace besides the repository's own, path → content (the rendered config). */
  readonly extraFiles: Readonly<Record<string, string>>;
  /** Files and folders of this machine that belong to the code, path in the workspace → path as the user wrote it. */
  readonly files?: Readonly<Record<string, string>>;
  /** Paths in the workspace that code upload never touches: dataset target and outputs. */
  readonly protectedPaths: readonly string[];
  /** Command run here, in the folder, before a launch. */
  readonly smoke?: string;
  /** SHA-256 over the manifest of all files and extra files. */
  readonly hash: string;
}

/** Where the dataset comes from. */
export type DatasetSource =
  | { readonly kind: "folder"; readonly path: string }
  | { readonly kind: "archive"; readonly path: string }
  | { readonly kind: "url"; readonly url: string; readonly sha256?: string }
  | ({ readonly kind: "bucket"; readonly sha256?: string } & BucketPlace)
  | ({ readonly kind: "hub" } & HubPlace)
  | { readonly kind: "fileSystem"; readonly path: string };

/** A dataset on Hugging Face's hub, or on a server of the same API. */
export interface HubPlace {
  readonly endpoint: string;
  /** owner/name */
  readonly repository: string;
  readonly revision: string;
  /** A folder or file in it; empty for all. */
  readonly path: string;
}

/** A place in a bucket. */
export interface BucketPlace {
  /** s3://, r2:// or gs://, with bucket and prefix. */
  readonly url: string;
  /** URL of the S3 server; undefined for the provider's own. */
  readonly endpoint?: string;
  readonly region?: string;
}

/** Where a run's results go at its end. */
export interface ResultsBucket extends BucketPlace {
  /** There they count as at home: the instance may end without a download. */
  readonly home: boolean;
}

/** What `data/` holds on the instance. */
export interface DatasetPlan {
  readonly source: DatasetSource;
  /** Folder in the workspace that holds the dataset, relative to it. */
  readonly target: string;
  /** Folders that must exist under the target and not be empty. */
  readonly splits: readonly string[];
  /** SHA-256 over the manifest (folder), of the file (archive), or over URL and checksum. */
  readonly hash: string;
  /** Folder on the stack's file system that holds it for all machines, absolute; undefined: each holds its own. */
  readonly cache?: string;
  /** Name of the secret that the URL's host gets as a bearer token. Not part of the hash. */
  readonly token?: string;
}

/** What the setup script makes. */
export interface EnvironmentPlan {
  /** Shell command run in the workspace, or undefined for none. */
  readonly setup?: string;
  /** `auto` picks by what the workload brings. */
  readonly manager: "auto" | "conda" | "uv" | "venv" | "none";
  /** Environment, lock or requirements file, relative to the workspace; found if undefined. */
  readonly file?: string;
  /** What uv installs besides the project's default groups; undefined for nothing. */
  readonly uv?: { readonly extras: readonly string[]; readonly groups: readonly string[] };
  /** Container image in which all commands of the workload run; undefined for none. */
  readonly image?: string;
  /** Shell command that activates what setup made; found if undefined. */
  readonly activate?: string;
  /** Whether setup waits for the dataset. */
  readonly waitsForDataset?: boolean;
  /** Text answered to every question that the setup script asks; empty: standard input is closed. */
  readonly answer: string;
  readonly timeoutSeconds: number;
  readonly variables: Variables;
  /** Secrets that every command of the workload has as variables; undefined for none. Not part of the hash. */
  readonly secrets?: readonly SecretSource[];
  /** Paths in the workload whose content decides whether setup must run again. */
  readonly inputs: readonly string[];
  /** SHA-256 over the inputs' content and this plan. */
  readonly hash: string;
  /** Folder on the stack's file system below which environments lie for all machines, absolute. */
  readonly cache?: string;
}

/** What must hold before training starts. */
export interface GatePlan {
  /** `required`: torch.cuda.is_available() must be true. `optional`: CPU is fine. */
  readonly gpu: "required" | "optional";
  /** Processor architecture as `uname -m` prints it, or undefined for any. */
  readonly architecture?: string;
  /** Free disk space in the workspace, in GiB. */
  readonly minDiskGiB: number;
  /** Python modules that must import. */
  readonly modules: readonly string[];
  /** A further command that must exit with 0, run in the workspace. */
  readonly command?: string;
  readonly timeoutSeconds: number;
}

/** A config of the workload that setup makes on the instance: what it holds is known only then. */
export interface MadeConfig {
  /** Its path, relative to the folder in which commands run. */
  readonly path: string;
  /** What is laid over it there, and the path that training reads then; undefined where nothing is. */
  readonly overrides?: { readonly tree: MapTree; readonly target: string };
}

/** A config of the repository over which overrides were laid here. */
export interface OverriddenConfig {
  /** Its path, relative to the folder in which commands run. */
  readonly path: string;
  /** SHA-256 of its content here. */
  readonly sha256: string;
}

/** Where a swept name's values go: a placeholder's, or the path of a key in the config. */
export type SweptPlace = "command" | "variable" | "config";

/** What a search may try for one name. Choices are JSON texts. */
export interface SweepRange {
  readonly choices?: readonly string[];
  readonly low?: number;
  readonly high?: number;
  readonly log?: boolean;
  readonly step?: number;
  readonly int?: boolean;
}

/** What the study is told of a sweep (`scripts/agent/sweep/definition.py`). */
export interface SweepDefinition {
  /** The trials of a grid or list, each value as JSON text. */
  readonly points?: readonly Readonly<Record<string, string>>[];
  /** Of a search. */
  readonly space?: Readonly<Record<string, SweepRange>>;
  readonly sampler?: "tpe" | "random";
  readonly trials?: number;
  readonly seed: number;
  readonly metric: string;
  readonly direction: "minimize" | "maximize";
  readonly prune: { readonly kind: "median" | "hyperband"; readonly options: Readonly<Record<string, unknown>> } | null;
  readonly retries: number;
  /** Seconds without word of a trial after which it's given to another machine. */
  readonly leaseSeconds: number;
}

/** A sweep: which trials there are to be, and what tells one from another. */
export interface SweepPlan {
  readonly places: Readonly<Record<string, SweptPlace>>;
  readonly definition: SweepDefinition;
  /** Config with marks where values belong, relative to the folder in which commands run; undefined without such values. */
  readonly template?: string;
  readonly gpusPerRun?: number;
  readonly runsPerMachine?: number;
  /** SHA-256 over the definition. */
  readonly hash: string;
}

/**
 * What makes a run the worker of a sweep: on its machine it trains one trial after another, as the study gives them out that
 * one machine of the fleet has. Each trial is a run of its own, named `<experiment>-t<number>`; the worker's `run` and
 * `evaluation` describe it, with placeholders.
 */
export interface WorkerPlan extends SweepPlan {
  /** Name of the machine that has the study. */
  readonly study: string;
  /** Folder below the stack's results for what the worker itself leaves, its log; empty for the one with the study. */
  readonly logs: string;
}

/** Where checkpoints go while training goes on. */
export interface CheckpointsPlan {
  readonly sync: "home" | "fileSystem" | "bucket";
  /** Seconds between two copies or downloads, at least. */
  readonly everySeconds: number;
  /** On the file system or in the bucket: how many copies stay. */
  readonly keep: number;
  /** On the file system: their folder on the instance, absolute. */
  readonly folder?: string;
  readonly bucket?: BucketPlace;
  /** Glob of a checkpoint, relative to the experiment's output folder; undefined for the usual places. */
  readonly checkpoint?: string;
}

/** The detached training process. */
export interface RunPlan {
  /** Name of the experiment: tmux session, and the workload's folder under `outputs/`. */
  readonly experiment: string;
  /** Shell command with everything substituted. */
  readonly command: string;
  /** Processes that torchrun starts on each machine; `auto`: one a GPU. undefined: the command starts its own. */
  readonly processes?: "auto" | number;
  /** Cluster over the machines, of which the command is the driver. */
  readonly cluster?: "ray";
  /** Its place among the machines that train together; undefined where it trains alone. */
  readonly node?: NodePlan;
  /** How a later attempt resumes, on another instance too; undefined where `command` runs again on this one. */
  readonly resume?: {
    /**
     * Shell command; `{checkpoint}` is replaced by the checkpoint's path relative to `directory`. undefined: the run's own
     * command, which resumes by itself.
     */
    readonly command?: string;
    /** Glob of the checkpoint, relative to the experiment's output folder; undefined for the usual places. */
    readonly checkpoint?: string;
  };
  /** Where checkpoints go while training goes on; undefined where they stay. Not part of the hash. */
  readonly checkpoints?: CheckpointsPlan;
  /** Folder in the workspace in which commands run, relative to it (`.` for the workspace itself). */
  readonly directory: string;
  readonly variables: Variables;
  /** Secrets that it has as variables besides; undefined for none. Not part of the hash. */
  readonly secrets?: readonly SecretSource[];
  /** The config that training reads, where setup makes it. */
  readonly madeConfig?: MadeConfig;
  /** The repository's config, where training reads a copy with overrides. Not part of the hash. */
  readonly overriddenConfig?: OverriddenConfig;
  /** Folder in which the workload writes results, relative to the workspace. */
  readonly outputs: string;
  /** Where results go at the end; undefined for no bucket. Not part of the hash. */
  readonly bucket?: ResultsBucket;
  /** Globs of what is a result although a rule says otherwise, and of what is none. Not part of the hash. */
  readonly include?: readonly string[];
  readonly exclude?: readonly string[];
  /** Extended regular expression that marks the first training step in the log (case-insensitive); undefined for the agent's own judgement. */
  readonly firstStepPattern?: string;
  readonly firstStepTimeoutSeconds: number;
  /** What `pulumi up` waits for. */
  readonly waitFor: "first-step" | "end";
  /** Whether its instance ends with it; undefined where it stays. Not part of the hash. */
  readonly whenDone?: "down";
  /** Seconds between SIGTERM and SIGKILL at a clean stop. */
  readonly graceSeconds: number;
  /** Seconds after which the run is stopped cleanly, on the instance itself; undefined for no limit. */
  readonly maxSeconds?: number;
  /** Seconds without a new line in the log and without work on a GPU after which the instance stops it cleanly. */
  readonly idleSeconds?: number;
  /** SHA-256 over what the run is: command, variables, config. Not over the code. */
  readonly hash: string;
}

/** A machine's place in one training on several machines. */
export interface NodePlan {
  /** From 0. Rank 0 leads: it is evaluated, and its log is the run's. */
  readonly rank: number;
  /** Names of the machines, by rank. */
  readonly machines: readonly string[];
}

/** The config that training reads. */
export interface ConfigPlan {
  /** Relative to the folder in which commands run. */
  readonly path: string;
  /** The workload's own file that the overrides are laid over. */
  readonly base?: string;
  /** What is laid over it, as JSON. */
  readonly overrides?: string;
}

/** How the trained model is evaluated. */
export interface EvaluationPlan {
  /** Shell command; `{checkpoint}` is replaced by the checkpoint's path relative to `directory`. */
  readonly command: string;
  /** Glob of the checkpoint, relative to the experiment's output folder. */
  readonly checkpoint: string;
  /** Glob of the JSON files that hold metrics, relative to the experiment's output folder. */
  readonly metrics: string;
  readonly timeoutSeconds: number;
}

/** The workload's own dashboard. */
export interface DashboardPlan {
  /** Starts it. undefined: training itself serves it. */
  readonly command?: string;
  /** Port on which it listens on the instance. */
  readonly port: number;
}

/** Where results are downloaded to. */
export interface ResultsPlan {
  /** Local folder, relative to the project: `results/<stack>`. */
  readonly directory: string;
}

/** A machine: what is launched, and all that makes it ready to train. */
export interface MachinePlan {
  /** Unique among the stack's machines. Resources of all but {@link onlyMachine} begin with it. */
  readonly machine: string;
  readonly cloud: CloudPlan;
  readonly workload: WorkloadPlan;
  readonly dataset?: DatasetPlan;
  readonly environment: EnvironmentPlan;
  readonly gate: GatePlan;
  /** Whether the machines of the stack pass the dataset on. Default: each gets it from home. */
  readonly passesOn?: boolean;
}

/** A run, and the machine on which it trains. */
export interface PlannedRun {
  /** Unique among the stack's runs; stays when the experiment is renamed. Resources of all but {@link onlyRun} begin with it. */
  readonly name: string;
  /** The machine's name. */
  readonly machine: string;
  readonly run: RunPlan;
  /** The sweep of which this run is a worker; undefined for a run that trains by itself. */
  readonly worker?: WorkerPlan;
  /** undefined where training reads none that is known. */
  readonly config?: ConfigPlan;
  readonly evaluation?: EvaluationPlan;
  readonly dashboard?: DashboardPlan;
}

/** Names of the machine and the run of a stack that has one of each. */
export const onlyMachine = "machine";
export const onlyRun = "run";

/** What all of a stack have in common. */
interface StackPlan {
  readonly stack: string;
  readonly results: ResultsPlan;
  /** What happens to a running run if code, data, environment or configuration have changed. */
  readonly onChange: "wait" | "restart";
}

/** One stack: its runs, and the machines that it launches for them. */
export interface Plan extends StackPlan {
  readonly machines: readonly MachinePlan[];
  readonly runs: readonly PlannedRun[];
}

/** A run together with the machine on which it trains. */
export type Job = StackPlan & MachinePlan & PlannedRun;

/** The runs of a plan, each with its machine. */
export function jobsOf({ machines, runs, ...stack }: Plan): Job[] {
  return runs.flatMap((run) =>
    machines.filter(({ machine }) => machine === run.machine).map((machine) => ({ ...stack, ...machine, ...run })),
  );
}
