/** Everything needed to reach an instance over SSH. `privateKey` is secret. */
export interface SshAccess {
  /** IPv4 address. */
  readonly host: string;
  /** TCP port of sshd. */
  readonly port: number;
  readonly user: string;
  /** Private key in OpenSSH's PEM text. Secret: never logged, never in argv. */
  readonly privateKey: string;
  /** The host key that the instance must show: `ssh-ed25519 AAAA…`. */
  readonly hostKey: string;
}

/** State of a run, as its files on the instance tell. Only these files decide; a lost connection never does. */
export type RunState =
  | "absent" // never started
  | "starting" // training process started, first step not logged yet
  | "running" // first step logged
  | "evaluating" // training ended with 0 or by a limit, evaluation goes on
  | "finished" // training ended with 0, evaluation done (or none asked for)
  | "failed" // training ended with another status than 0, put itself into the background, or is gone without a status
  | "stopped"; // ended by a clean stop

/** What the agent tells of a run. Times are ISO 8601 in UTC. */
export interface RunStatus {
  readonly state: RunState;
  readonly experiment: string;
  readonly startedAt?: string;
  readonly firstStepAt?: string;
  readonly endedAt?: string;
  /** Exit status of training, once ended (128 + signal where a signal ended it). */
  readonly exitCode?: number;
  /** Why a clean stop happened: `destroy`, `limit`, `budget`, `idle`, … */
  readonly stopReason?: string;
  /** Command lines of what training had put into the background when it ended with 0 before any first step. */
  readonly detached?: string;
  /** Nothing watches over it: its supervisor was killed. No limit holds until the next look has mended that. */
  readonly unsupervised?: true;
  /** Which start of this experiment this is, from 1. */
  readonly attempt?: number;
  /** Hash of what that attempt runs: the plan's `run.hash` when it started. */
  readonly hash?: string;
  /** Hash of the code, data and environment on which it runs. Absent: an earlier release started it. */
  readonly stands?: string;
  /** Why its end with status 0 may be no success, in words. */
  readonly doubt?: string;
  /** Seconds that training has taken, all attempts together; up to ten seconds behind. */
  readonly usedSeconds?: number;
  /** Seconds since the log grew or a GPU worked, while training goes on; up to ten seconds ahead. */
  readonly idleSeconds?: number;
  /** Last line of the log. */
  readonly lastLine?: string;
  /** The line that matched the first-step pattern. */
  readonly firstStepLine?: string;
  /** Absolute path of the checkpoint from which the next attempt would resume by `train.resume`. */
  readonly resumesFrom?: string;
  /** Absolute path of the log on the instance. */
  readonly logPath: string;
  /** Absolute path of the experiment's real output folder, once found. */
  readonly outputPath?: string;
  /** Absolute paths of the output folders of earlier attempts, where the workload makes one for each. */
  readonly earlierOutputPaths?: readonly string[];
  /** Absolute paths of files and folders that training or evaluation wrote beside these, under the workload's outputs. */
  readonly outputsBeside?: readonly string[];
  /** What training wrote outside of its outputs, as last looked at: every minute or so, and when it ends. */
  readonly writtenElsewhere?: Written;
  /** Results of earlier configurations of the experiment that are kept apart there until they are at home. */
  readonly asides?: readonly {
    readonly name: string;
    /** Absolute path of the copy's folder. */
    readonly path: string;
    readonly kept: {
      readonly hash: string;
      readonly stands?: string;
      /** As the run's, then. Absent: an earlier release kept it. */
      readonly outputPath?: string;
      /** Path in the results at home → path below the copy's folder. */
      readonly places: Readonly<Record<string, string>>;
    };
  }[];
  readonly evaluation?: {
    readonly state: "none" | "pending" | "running" | "done" | "failed";
    readonly exitCode?: number;
  };
  /** How far the instance is from terminating itself; absent where it was not told to. */
  readonly selfTermination?: {
    /** Its watcher runs. */
    readonly watched: boolean;
    /** What the watcher saw last. */
    readonly last: {
      /**
       * `busy`: something works there; `waiting`: until `at`; `unsafe`: results would be lost; `refused`, `failed`: the
       * API did not do it; `terminating`: it did.
       */
      readonly state: "busy" | "waiting" | "unsafe" | "refused" | "failed" | "terminating";
      /** Why, for people. */
      readonly text?: string;
      /** Seconds since the Unix epoch. */
      readonly at?: number;
    };
  };
  /** Seconds since the Unix epoch on the instance, to correct for clock skew. */
  readonly now: number;
}

/** A folder or file as people name it: relative to the workspace, or with `~/` or `/`. */
export interface WrittenGroup {
  readonly path: string;
  readonly files: number;
  readonly bytes: number;
}

/** What came or changed since the start of training, and does not come home. */
export interface LeftOut extends WrittenGroup {
  /** Which rule says so, in words. */
  readonly why: string;
  /** The biggest file in it that looks like a checkpoint, of a mebibyte or more. */
  readonly checkpoint?: { readonly path: string; readonly bytes: number };
}

/** What training wrote outside of its outputs folder (see `scripts/agent/results/written.py`). */
export interface Written {
  /** Seconds since the epoch, by the instance's clock. */
  readonly at: number;
  /** False where the look was too short for all files. */
  readonly whole: boolean;
  /** How many files of what comes home look like checkpoints, and when the newest was written, in seconds since the epoch. */
  readonly checkpoints: { readonly files: number; readonly newest: number };
  /** What comes home. */
  readonly found: readonly WrittenGroup[];
  /** What does not. */
  readonly left: readonly LeftOut[];
}
