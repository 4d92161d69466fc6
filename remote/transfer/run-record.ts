import { z } from "zod";

const text = z.string().max(100_000).optional();
const number = z.number().optional();

const mostAttempts = 50;

/** What ran, as the instance tells it with the results (`scripts/agent/results/record.py`). */
const runRecord = z.object({
  experiment: z.string(),
  /** Of which start the results are, from 1. */
  attempt: z.number(),
  /** Hash of the run's own settings, and of the code, data and environment below them. */
  hash: text,
  stands: text,
  /** Hash of the settings with what setup has made of the config; absent where that is no part of them. */
  settings: text,
  /** Where the outputs lay, and what lay beside them, relative to the workspace. */
  places: z.object({ outputs: z.string(), beside: z.array(z.string()).max(100).default([]) }).optional(),
  /** Of this program. */
  release: text,
  workload: z
    .object({ source: z.string(), commit: text, ref: text, changed: z.boolean().optional(), hash: z.string() })
    .optional(),
  dataset: z.object({ source: z.string(), hash: z.string() }).optional(),
  environment: z.object({ manager: z.string(), setup: text, file: text, hash: z.string() }).optional(),
  /** The config that training read. No text: it was longer than 256 KiB, or not there. */
  config: z
    .object({
      /** Relative to the folder in which training ran. */
      path: z.string(),
      /** What the overrides were laid over. */
      base: text,
      /** `train.overrides`, as JSON. */
      overrides: text,
      bytes: number,
      sha256: text,
      text: z
        .string()
        .max(1 << 20)
        .optional(),
    })
    .optional(),
  /** As it ran, everything filled in. */
  command: text,
  directory: text,
  evaluation: text,
  /** Names of the variables that were set. Their values may be secret. */
  variables: z.array(z.string()).optional(),
  instance: z.object({ type: z.string(), region: z.string() }).optional(),
  /** Where it is a trial of a sweep: which, and with which values. */
  trial: z.object({ sweep: z.string(), number: z.number(), values: z.record(z.string(), z.unknown()) }).optional(),
  /** The starts of these settings, the newest last. */
  attempts: z
    .array(
      z.object({
        number: z.number(),
        startedAt: text,
        firstStepAt: text,
        endedAt: text,
        /** Absent: the results were taken before it ended. */
        exitCode: number,
        stopReason: text,
        /** Exit status of its evaluation. */
        evaluation: number,
        /** Seconds that training took. */
        seconds: number,
        stands: text,
        commit: text,
      }),
    )
    .max(mostAttempts)
    .default([]),
});

export type RunRecord = Readonly<z.infer<typeof runRecord>>;

/** What a record says of what ran; undefined where it says nothing that can be understood, as one of an earlier release. */
export function parseRunRecord(value: unknown): RunRecord | undefined {
  return runRecord.safeParse(value).data;
}

/** The earlier start whose evaluation the metrics among results are; undefined where they are the newest's, or nothing tells. */
export function evaluatedEarlier({ attempt, attempts }: RunRecord): number | undefined {
  const evaluated = attempts.filter(({ evaluation }) => evaluation === 0).at(-1)?.number;
  return evaluated === attempt ? undefined : evaluated;
}
