import type * as pulumi from "@pulumi/pulumi";
import type { StandingPlan } from "../../plan/standing";
import type { DashboardPlan, EvaluationPlan, Plan, RunPlan } from "../../plan/types";
import type { RunState, SshAccess } from "../../remote/types";
import { RemoteResource } from "../dynamic/resource";

/** What every resource that works over SSH needs. */
export interface OnInstanceArgs {
  /** Id of the instance. A change replaces the resource: the instance is another one, and empty. */
  readonly instanceId: pulumi.Input<string>;
  /** How to reach it. Secret. A change is recorded. */
  readonly access: pulumi.Input<SshAccess>;
}

/** Arguments of {@link StandingWatch}. */
export interface StandingWatchArgs extends OnInstanceArgs {
  /** What becomes of a run that goes on, where the plan has changed. */
  readonly onChange: pulumi.Input<Plan["onChange"]>;
  /** The plan as the configuration has it. Secret. */
  readonly plan: pulumi.Input<StandingPlan>;
}

/** Keeps the plan of a run that goes on in force. */
export class StandingWatch extends RemoteResource {
  /** The plan that is in force: the old one, as far as a run goes on that stands on it. Secret. */
  declare readonly plan: pulumi.Output<StandingPlan>;

  constructor(name: string, args: StandingWatchArgs, options?: pulumi.CustomResourceOptions) {
    super("components/remote/handlers/standing", "Standing", name, { ...args }, options);
  }
}

/** Arguments of {@link Upload}. */
export interface UploadArgs extends OnInstanceArgs {
  /** `code` leaves out what .gitignore names; `folder` takes everything; `archive` is a single file. */
  readonly kind: pulumi.Input<"code" | "folder" | "archive">;
  /** Local folder or archive, relative to the project where it lies inside. A change alone uploads nothing. */
  readonly source: pulumi.Input<string>;
  /** Where it goes on the instance, relative to the home folder. A change replaces the resource. */
  readonly target: pulumi.Input<string>;
  /** Files written besides the folder's own, path → content. */
  readonly extraFiles?: pulumi.Input<Record<string, pulumi.Input<string>>>;
  /** Paths under the target that are never touched. */
  readonly protectedPaths?: pulumi.Input<pulumi.Input<string>[]>;
  /** SHA-256 over the content. A change uploads what changed. */
  readonly hash: pulumi.Input<string>;
}

/** A folder or file of this machine, brought to the instance: what changed goes, what was removed is removed. */
export class Upload extends RemoteResource {
  /** Hash of what the instance holds. */
  declare readonly hash: pulumi.Output<string>;

  constructor(name: string, args: UploadArgs, options?: pulumi.CustomResourceOptions) {
    super("components/remote/handlers/upload", "Upload", name, { ...args }, options);
  }
}

/** Arguments of {@link ResultsGuard}. */
export interface ResultsGuardArgs extends OnInstanceArgs {
  /** API endpoint, to tell an instance that is gone from one that cannot be reached. */
  readonly endpoint: pulumi.Input<string>;
  /** The run whose results these are. A change of its experiment replaces the resource, which brings the old ones home. */
  readonly run: pulumi.Input<RunPlan>;
  readonly evaluation?: pulumi.Input<EvaluationPlan | undefined>;
  /** Folder of the workload on the instance, relative to the home folder. */
  readonly workspace: pulumi.Input<string>;
  /** Local folder of the results, relative to the project. */
  readonly directory: pulumi.Input<string>;
}

/**
 * The results of one experiment. Exists before training starts, so that from then on nothing can end the instance
 * without passing here: its deletion stops the run cleanly, evaluates, downloads and verifies. While that fails, the
 * deletion fails, and the instance lives.
 */
export class ResultsGuard extends RemoteResource {
  /** Local folder in which the results will lie. */
  declare readonly folder: pulumi.Output<string>;

  constructor(name: string, args: ResultsGuardArgs, options?: pulumi.CustomResourceOptions) {
    super("components/remote/handlers/results", "Results", name, { folder: undefined, ...args }, options);
  }
}

/** Arguments of {@link RunWatch}. */
export interface RunWatchArgs extends OnInstanceArgs {
  /** Id of the command that started the run. A change replaces the resource. */
  readonly startId: pulumi.Input<string>;
  readonly run: pulumi.Input<RunPlan>;
  /** Folder of the workload on the instance, relative to the home folder. */
  readonly workspace: pulumi.Input<string>;
  /** The workload's dashboard, for `npm run dashboard`. */
  readonly dashboard?: pulumi.Input<DashboardPlan | undefined>;
  /** Script that starts the run, or lets one that goes on be. Run again where a refresh has seen that the run failed. */
  readonly startScript: pulumi.Input<string>;
  /** API endpoint, which tells whether the instance still exists where it cannot be reached. */
  readonly endpoint: pulumi.Input<string>;
  /** Hashes of code, dataset and environment. A change looks at the run again. */
  readonly standsOn: pulumi.Input<string>;
}

/** The run as seen from here: waits for the first training step or for the end; a refresh reads its state anew. */
export class RunWatch extends RemoteResource {
  declare readonly state: pulumi.Output<RunState>;
  /** Which start of the experiment it is, from 1. */
  declare readonly attempt: pulumi.Output<number | undefined>;
  /** Path of the log on the instance. */
  declare readonly logPath: pulumi.Output<string>;
  /** The line of the log that showed the first training step. */
  declare readonly firstStepLine: pulumi.Output<string | undefined>;

  constructor(name: string, args: RunWatchArgs, options?: pulumi.CustomResourceOptions) {
    const outputs = {
      state: undefined,
      logPath: undefined,
      firstStepLine: undefined,
      attempt: undefined,
      stopReason: undefined,
    };
    super("components/remote/handlers/run", "Run", name, { ...outputs, ...args }, options);
  }
}

/** Arguments of {@link EvaluationWatch}. */
export interface EvaluationWatchArgs extends OnInstanceArgs {
  /** Id of the command that started the run. A change replaces the resource. */
  readonly startId: pulumi.Input<string>;
  /** Which start of the experiment is evaluated. A change looks again: what was evaluated was an earlier one. */
  readonly attempt: pulumi.Input<number | undefined>;
  readonly run: pulumi.Input<RunPlan>;
  readonly evaluation: pulumi.Input<EvaluationPlan>;
  readonly workspace: pulumi.Input<string>;
}

/** The evaluation that the instance makes when training has ended; a refresh reads its metrics. */
export class EvaluationWatch extends RemoteResource {
  declare readonly state: pulumi.Output<"pending" | "running" | "done" | "failed">;
  /** Metrics by file name, as the workload wrote them. Empty until they exist. */
  declare readonly metrics: pulumi.Output<Record<string, unknown>>;

  constructor(name: string, args: EvaluationWatchArgs, options?: pulumi.CustomResourceOptions) {
    const outputs = { state: undefined, metrics: undefined };
    super("components/remote/handlers/evaluation", "Evaluation", name, { ...outputs, ...args }, options);
  }
}

/** Arguments of {@link SelfTermination}. */
export interface SelfTerminationArgs extends OnInstanceArgs {
  /** API endpoint, which the instance calls. A change replaces the resource. */
  readonly endpoint: pulumi.Input<string>;
  /** Seconds after the last work of the stack on the instance. A change reaches it. */
  readonly afterSeconds: pulumi.Input<number>;
  /** End even where results are nowhere else. */
  readonly loseResults: pulumi.Input<boolean>;
  /** Name of an attached file system that results may be kept on. */
  readonly fileSystem?: pulumi.Input<string | undefined>;
}

/**
 * The instance's own watch over its end, with an API key in a file there. The key is no input: it goes from the
 * environment or the configuration straight to the instance.
 */
export class SelfTermination extends RemoteResource {
  constructor(name: string, args: SelfTerminationArgs, options?: pulumi.CustomResourceOptions) {
    super(
      "components/remote/handlers/self-termination",
      "SelfTermination",
      name,
      { keyMark: undefined, ...args },
      options,
    );
  }
}
