import { createHash } from "node:crypto";
import { z } from "zod";
import type { Job, SweepPlan } from "../plan/types";
import { type AgentCall, wordsOf } from "./agent";
import type { StartedOn } from "./provenance";
import { startDocument } from "./scripts";

/** Seconds that a worker has after TERM, beyond what a trial has: it waits for its trials and tells the study. */
const workersGrace = 40;

/** A run that is a sweep's worker. */
export type WorkerJob = Job & { readonly worker: SweepPlan };

/** Whether a run is a sweep's worker. */
export function isWorker(job: Job): job is WorkerJob {
  return job.worker !== undefined;
}

/** Name of the run that trains a trial. */
export function trialExperiment(experiment: string, number: number): string {
  return `${experiment}-t${number}`;
}

/** What home knows of a sweep's trials. */
export interface KnownAtHome {
  /** Numbers of trials whose results are at home. */
  readonly home: readonly number[];
  /** Names of machines that are gone. */
  readonly lost: readonly string[];
  /** What is at home of trials that the study may not know, since it was lost with all its copies. */
  readonly trained?: readonly {
    readonly number: number;
    readonly params: Readonly<Record<string, unknown>>;
    readonly value?: number;
  }[];
}

/**
 * Makes the study, or brings it to what the plan wants; for the study's machine.
 */
export function placeStudy({ run, worker }: WorkerJob, known: KnownAtHome): AgentCall {
  const request = { op: "place", definition: worker.definition, ...known };
  return { verb: "study-call", document: { experiment: run.experiment, request } };
}

/** Asks the study for all that it knows; for its machine. The answer is read by {@link studyAnswer}. */
export function askSummary(experiment: string): AgentCall {
  return { verb: "study-call", document: { experiment, request: { op: "summary" } } };
}

/**
 * Tells a machine's worker what to do, before it's started, and while it runs: where the study is now, other limits.
 * @param study Name of the machine that has the study.
 * @param again Whether a worker that has finished has work again, though the sweep is the same: trials of a lost machine.
 * @param spentAt Time at which the instance has cost its budget, in milliseconds since the epoch.
 */
export function placeWorker(
  job: WorkerJob,
  {
    study,
    again,
    spentAt,
    on,
  }: { readonly study: string; readonly again?: boolean; readonly spentAt?: number; readonly on?: StartedOn },
): AgentCall {
  const { experiment, config, ...trial } = startDocument(job, spentAt, on);
  const { metric } = job.worker.definition;
  const { template, gpusPerRun, runsPerMachine, hash } = job.worker;
  const metrics = job.evaluation?.metrics;
  const places = { machine: job.machine, study, sweep: hash };
  const worker = { ...places, metric, metrics, gpusPerRun, runsPerMachine, config: template, trial };
  return { verb: "work-place", document: { experiment, worker, again } };
}

/** Starts a machine's worker, as an ordinary run named as the experiment. */
export function startWorker(job: WorkerJob, spentAt?: number, on?: StartedOn): AgentCall {
  const { experiment, run, limits, ...document } = startDocument(job, spentAt, on);
  const { gpusPerRun, runsPerMachine } = job.worker;
  return {
    verb: "start",
    document: {
      ...document,
      experiment,
      // Not over the values, nor over the agent that runs it: with others of these it goes on.
      hash: createHash("sha256")
        .update(JSON.stringify([job.run.hash, gpusPerRun, runsPerMachine]))
        .digest("hex"),
      // A config that setup makes is part of each trial's settings.
      config: undefined,
      run: {
        ...run,
        command: `exec ${wordsOf({ verb: "work", document: { experiment } })}`,
        resume: undefined,
        variables: {},
        evaluation: undefined,
        firstStepPattern: "^trial [0-9]+: first step",
        grace: run.grace + workersGrace,
        sweep: experiment,
      },
      limits: { deadline: limits.deadline },
    },
  };
}

const params = z.record(z.string(), z.unknown());
const number = z.number().int().min(0);

/** A trial as the study knows it. */
export const studyTrialSchema = z.object({
  number,
  params,
  /** `queued`: waits to be run, or to be run again. */
  state: z.enum(["queued", "running", "complete", "pruned", "failed", "withdrawn"]),
  /** Machine that has it, or had it last. */
  machine: z.string().optional(),
  attempt: number,
  failures: number,
  /** Machines that were lost under it. */
  lost: number,
  value: z.number().nullable().optional(),
  /** The metric's values: [step, value]. */
  values: z.array(z.tuple([z.number(), z.number().nullable()])),
  reason: z.string().nullable().optional(),
  exitCode: z.number().optional(),
  /** Seconds since the epoch. */
  startedAt: z.number().optional(),
  endedAt: z.number().optional(),
});

/** All that the study knows. */
export const studySummarySchema = z.object({
  /** Another one each time that the study is made or moved. */
  epoch: z.string(),
  metric: z.string(),
  direction: z.enum(["minimize", "maximize"]),
  /** How many trials there are to be, and how many of them wait for a machine. */
  wanted: number,
  open: number,
  trials: z.array(studyTrialSchema),
  /** Number of the best trial that is complete. */
  best: number.nullable(),
  /** How much each value has to do with the metric, 0 to 1; empty where too few trials tell it. */
  importance: z.record(z.string(), z.number()),
});

/** What `study-call` prints for {@link placeStudy}: how many trials there are, and how many wait for a machine. */
export const placedAnswer = z.union([
  z.object({ ok: z.object({ epoch: z.string(), trials: number, open: number }) }),
  z.object({ error: z.string() }),
]);

/** What `study-call` prints for {@link askSummary}. */
export const studyAnswer = z.union([z.object({ ok: studySummarySchema }), z.object({ error: z.string() })]);

/** What the verb `trials` prints: what one machine knows of its trials. */
export const machineTrialsSchema = z.object({
  worker: z.object({ machine: z.string(), study: z.string(), state: z.string() }).nullable(),
  trials: z.array(
    z.object({
      number,
      experiment: z.string(),
      params,
      attempt: number,
      /** What the study was told of its end; null before. */
      told: z.string().nullable(),
      value: z.number().nullable(),
      reason: z.string().nullable(),
      /** Some of the run's status here (RunStatus). */
      run: z.looseObject({ state: z.string() }),
    }),
  ),
  /** Where this machine has the study. */
  study: studySummarySchema.nullable(),
  studyError: z.string().optional(),
});

/** What the verb `study-copy` prints: how much a machine knows of the study, for who makes one of them the study. */
export const studyCopySchema = z.object({
  copy: z.object({ epoch: z.string(), number, bytes: number, sha256: z.string(), study: z.boolean() }).nullable(),
});
