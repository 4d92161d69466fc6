import { z } from "zod";
import type { RunStatus } from "./types";
import { writtenSchema } from "./written";

const text = z.string().optional();
const number = z.number().optional();
const paths = z.array(z.string()).optional();

/** What the agent tells of a run. Members that are not named here are left out. */
export const statusSchema: z.ZodType<RunStatus> = z.object({
  state: z.enum(["absent", "starting", "running", "evaluating", "finished", "failed", "stopped"]),
  experiment: z.string(),
  startedAt: text,
  firstStepAt: text,
  endedAt: text,
  exitCode: number,
  stopReason: text,
  detached: text,
  unsupervised: z.literal(true).optional(),
  attempt: number,
  hash: text,
  stands: text,
  doubt: text,
  usedSeconds: number,
  idleSeconds: number,
  lastLine: text,
  firstStepLine: text,
  resumesFrom: text,
  logPath: z.string(),
  outputPath: text,
  earlierOutputPaths: paths,
  outputsBeside: paths,
  writtenElsewhere: writtenSchema.optional(),
  asides: z
    .array(
      z.object({
        name: z.string(),
        path: z.string(),
        kept: z.object({ hash: z.string(), stands: text, outputPath: text, places: z.record(z.string(), z.string()) }),
      }),
    )
    .optional(),
  evaluation: z
    .object({ state: z.enum(["none", "pending", "running", "done", "failed"]), exitCode: number })
    .optional(),
  selfTermination: z
    .object({
      watched: z.boolean(),
      last: z.object({
        state: z.enum(["busy", "waiting", "unsafe", "refused", "failed", "terminating"]),
        text,
        at: number,
      }),
    })
    .optional(),
  now: z.number(),
});
