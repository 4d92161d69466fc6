import { z } from "zod";
import { ask } from "./conversation";
import type { SshSession } from "./session";

const maybe = z.number().nullable();
const room = z.object({ totalBytes: z.number(), freeBytes: z.number() });

/** Use of a GPU. null: the driver does not tell. */
const gpuUse = z.object({
  name: z.string(),
  percent: maybe,
  usedBytes: maybe,
  totalBytes: maybe,
  celsius: maybe,
  watts: maybe,
});

/** A step of the setup on the instance. Times are seconds since the epoch; null: not yet, or not known. */
const stepLook = z.object({ startedAt: maybe, endedAt: maybe, exitCode: maybe, lastLine: z.string().nullable() });

/** A file of weights among an experiment's outputs. */
const checkpoint = z.object({
  /** Relative to the experiment's output folder. */
  path: z.string(),
  bytes: z.number(),
  /** Seconds since the epoch. */
  writtenAt: z.number(),
});

/** What the agent sees: the machine's use, and what lies on it, at one moment. */
const lookSchema = z.object({
  /** Seconds since the epoch, by the instance's clock. */
  now: z.number(),
  /** Ticks since the boot, over all processors. */
  cpu: z.object({ count: z.number(), busyTicks: z.number(), totalTicks: z.number() }),
  memory: room,
  /** The disk that holds the home folder. */
  disk: room,
  gpus: z.array(gpuUse),
  /** By name: `setup`, `dataset`. */
  steps: z.record(z.string(), stepLook),
  /** When the current attempt's evaluation ended. */
  evaluatedAt: maybe,
  /** The newest first, at most 200. */
  checkpoints: z.array(checkpoint),
});

export type GpuUse = z.infer<typeof gpuUse>;
export type StepLook = z.infer<typeof stepLook>;
export type MachineLook = z.infer<typeof lookSchema>;

/** Looks at the machine. `outputPath`: where the experiment writes, once that is known. */
export async function readMachine(
  session: SshSession,
  run: { readonly experiment: string; readonly outputPath?: string },
): Promise<MachineLook> {
  return ask(session, {
    ask: "look",
    document: { experiment: run.experiment, output: run.outputPath },
    answer: lookSchema,
    what: "Looking at the machine",
    timeoutSeconds: 30,
  });
}
