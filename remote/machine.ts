import { z } from "zod";
import { ask } from "./conversation";
import type { SshSession } from "./session";

/** Use of a GPU. null: the driver does not tell. */
export interface GpuUse {
  readonly name: string;
  readonly percent: number | null;
  readonly usedBytes: number | null;
  readonly totalBytes: number | null;
  readonly celsius: number | null;
  readonly watts: number | null;
}

/** A step of the setup on the instance. Times are seconds since the epoch; null: not yet, or not known. */
export interface StepLook {
  readonly startedAt: number | null;
  readonly endedAt: number | null;
  readonly exitCode: number | null;
  readonly lastLine: string | null;
}

/** A file of weights among an experiment's outputs. */
export interface Checkpoint {
  /** Relative to the experiment's output folder. */
  readonly path: string;
  readonly bytes: number;
  /** Seconds since the epoch. */
  readonly writtenAt: number;
}

/** What the agent sees: the machine's use, and what lies on it, at one moment. */
export interface MachineLook {
  /** Seconds since the epoch, by the instance's clock. */
  readonly now: number;
  /** Ticks since the boot, over all processors. */
  readonly cpu: { readonly count: number; readonly busyTicks: number; readonly totalTicks: number };
  readonly memory: { readonly totalBytes: number; readonly freeBytes: number };
  /** The disk that holds the home folder. */
  readonly disk: { readonly totalBytes: number; readonly freeBytes: number };
  readonly gpus: readonly GpuUse[];
  /** By name: `setup`, `dataset`. */
  readonly steps: Readonly<Record<string, StepLook>>;
  /** When the current attempt's evaluation ended. */
  readonly evaluatedAt: number | null;
  /** The newest first, at most 200. */
  readonly checkpoints: readonly Checkpoint[];
}

const maybe = z.number().nullable();
const room = z.object({ totalBytes: z.number(), freeBytes: z.number() });
const lookSchema: z.ZodType<MachineLook> = z.object({
  now: z.number(),
  cpu: z.object({ count: z.number(), busyTicks: z.number(), totalTicks: z.number() }),
  memory: room,
  disk: room,
  gpus: z.array(
    z.object({
      name: z.string(),
      percent: maybe,
      usedBytes: maybe,
      totalBytes: maybe,
      celsius: maybe,
      watts: maybe,
    }),
  ),
  steps: z.record(
    z.string(),
    z.object({ startedAt: maybe, endedAt: maybe, exitCode: maybe, lastLine: z.string().nullable() }),
  ),
  evaluatedAt: maybe,
  checkpoints: z.array(z.object({ path: z.string(), bytes: z.number(), writtenAt: z.number() })),
});

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
