import { z } from "zod";

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

/** As experiments are named. */
export const jobName = /^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$/;

const text = z.string().optional();
const number = z.number().optional();
const paths = z.array(z.string()).optional();
const size = z.number().nonnegative();

const runState = z.enum([
  "absent", // never started
  "starting", // training process started, first step not logged yet
  "running", // first step logged
  "evaluating", // training ended with 0 or by a limit, evaluation goes on
  "finished", // training ended with 0, evaluation done (or none asked for)
  "failed", // training ended with another status than 0, put itself into the background, or is gone without a status
  "stopped", // ended by a clean stop
]);

/** State of a run, as its files on the instance tell. Only these files decide; a lost connection never does. */
export type RunState = z.infer<typeof runState>;

/** A folder or file as people name it: relative to the workspace, or with `~/` or `/`. */
const writtenGroup = z.object({ path: z.string(), files: size, bytes: size });

/** What training wrote outside of its outputs folder (see `scripts/agent/results/written.py`). */
export const writtenSchema = z.object({
  /** Seconds since the epoch, by the instance's clock. */
  at: z.number(),
  /** False where the look was too short for all files. */
  whole: z.boolean(),
  /** How many files of what comes home look like checkpoints, and when the newest was written, in seconds since the epoch. */
  checkpoints: z.object({ files: size, newest: z.number() }),
  /** What comes home. */
  found: z.array(writtenGroup),
  /** What came or changed since the start of training, and does not come home. */
  left: z.array(
    writtenGroup.extend({
      /** Which rule says so, in words. */
      why: z.string(),
      /** The biggest file in it that looks like a checkpoint, of a mebibyte or more. */
      checkpoint: z.object({ path: z.string(), bytes: size }).optional(),
    }),
  ),
});

export type Written = z.infer<typeof writtenSchema>;
export type WrittenGroup = z.infer<typeof writtenGroup>;
export type LeftOut = Written["left"][number];

/** As the agent writes it down. `at`: seconds since the epoch, by the instance's clock. */
const eventSchema = z.object({ at: z.number(), event: z.string(), attempt: number, code: number, reason: text });

export type RunEvent = z.infer<typeof eventSchema>;

/** What the agent tells of a run. Times are ISO 8601 in UTC. Members that are not named here are left out. */
export const statusSchema = z.object({
  state: runState,
  experiment: z.string(),
  startedAt: text,
  firstStepAt: text,
  endedAt: text,
  /** Exit status of training, once ended (128 + signal where a signal ended it). */
  exitCode: number,
  /** Why a clean stop happened: `destroy`, `limit`, `budget`, `idle`, … */
  stopReason: text,
  /** Command lines of what training had put into the background when it ended with 0 before any first step. */
  detached: text,
  /** Nothing watches over it: its supervisor was killed. No limit holds until the next look has mended that. */
  unsupervised: z.literal(true).optional(),
  /** Which start of this experiment this is, from 1. */
  attempt: number,
  /** How many machines train together. Absent: this one alone. */
  nodes: number,
  /** Hash of what that attempt runs: the plan's `run.hash` when it started. */
  hash: text,
  /** Hash of the code, data and environment on which it runs. Absent: an earlier release started it. */
  stands: text,
  /** Why its end with status 0 may be no success, in words. */
  doubt: text,
  /** Its results are at home or among the asides. What lies in its outputs now may be others'. */
  apart: z.literal(true).optional(),
  /** Seconds that training has taken, all attempts together; up to ten seconds behind. */
  usedSeconds: number,
  /** Seconds since the log grew or a GPU worked, while training goes on; up to ten seconds ahead. */
  idleSeconds: number,
  /** Last line of the log. */
  lastLine: text,
  /** The line that matched the first-step pattern. */
  firstStepLine: text,
  /** Absolute path of the checkpoint from which the next attempt would resume by `train.resume`. */
  resumesFrom: text,
  /** Training looks for it by itself (`train.resume: auto`). */
  resumesItself: z.literal(true).optional(),
  /** Absolute path of the checkpoint from which this attempt resumed. */
  resumedFrom: text,
  /** The newest copy of a checkpoint on a file system; `problem`: why there is none. `at`: seconds since the Unix epoch. */
  copied: z.object({ to: z.string(), checkpoint: text, at: number, problem: text }).optional(),
  /** The results in their bucket, as they were at the end; `problem`: why they are not there. Absent: there is no bucket. */
  inBucket: z.object({ url: z.string(), files: number, bytes: number, problem: text }).optional(),
  /** Absolute path of the log on the instance. */
  logPath: z.string(),
  /** Absolute path of the experiment's real output folder, once found. */
  outputPath: text,
  /** Absolute paths of the output folders of earlier attempts, where the workload makes one for each. */
  earlierOutputPaths: paths,
  /** Absolute paths of files and folders that training or evaluation wrote beside these, under the workload's outputs. */
  outputsBeside: paths,
  /** What training wrote outside of its outputs, as last looked at: every minute or so, and when it ends. */
  writtenElsewhere: writtenSchema.optional(),
  /** Results of earlier configurations of the experiment that are kept apart there until they are at home. */
  asides: z
    .array(
      z.object({
        name: z.string(),
        /** Absolute path of the copy's folder. */
        path: z.string(),
        kept: z.object({
          hash: z.string(),
          stands: text,
          /** As the run's, then. Absent: an earlier release kept it. */
          outputPath: text,
          /** Path in the results at home → path below the copy's folder. */
          places: z.record(z.string(), z.string()),
        }),
      }),
    )
    .optional(),
  /** What happened to the run, the newest last; not all of a long history. */
  events: z.array(eventSchema).optional().catch(undefined),
  /** Jobs that were ever started beside it (see remote/jobs.ts). Absent: none. */
  jobs: z
    .array(
      z.object({
        // Its results have a folder of that name at home.
        experiment: z.string().regex(jobName),
        state: runState,
        startedAt: text,
        endedAt: text,
        exitCode: number,
        stopReason: text,
      }),
    )
    .max(1000)
    .optional(),
  evaluation: z
    .object({ state: z.enum(["none", "pending", "running", "done", "failed"]), exitCode: number })
    .optional(),
  /** How far the instance is from terminating itself; absent where it was not told to. */
  selfTermination: z
    .object({
      /** Its watcher runs. */
      watched: z.boolean(),
      /** What the watcher saw last. */
      last: z.object({
        /**
         * `busy`: something works there; `waiting`: until `at`; `unsafe`: results would be lost; `refused`, `failed`: the
         * API did not do it; `terminating`: it did.
         */
        state: z.enum(["busy", "waiting", "unsafe", "refused", "failed", "terminating"]),
        /** Why, for people. */
        text,
        /** Seconds since the Unix epoch. */
        at: number,
      }),
    })
    .optional(),
  /** Seconds since the Unix epoch on the instance, to correct for clock skew. */
  now: z.number(),
});

export type RunStatus = Readonly<z.infer<typeof statusSchema>>;
