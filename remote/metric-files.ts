import { z } from "zod";
import { megabytes } from "../local/folder/progress";
import { ask } from "./conversation";
import { plainText } from "./log-text";
import type { SshSession } from "./session";

/** A file that was not read, and why, in words. */
export const leftMetrics = z.object({ path: z.string(), bytes: z.number(), why: z.string() });

export type LeftMetrics = Readonly<z.infer<typeof leftMetrics>>;

/** `predictions.json (80.3 MB: longer than 64 MiB)`. */
export function leftMetricsText({ path, bytes, why }: LeftMetrics): string {
  return `${plainText(path)} (${megabytes(bytes)} MB: ${plainText(why)})`;
}

/** What a look at an experiment's metric files gave. */
const metricFiles = z.object({
  /** Names this state of the files. */
  mark: z.string(),
  /** Path → content; absent where nothing has changed. */
  files: z.record(z.string(), z.string()).optional(),
  /** Files that may hold metrics and were not read. */
  left: z.array(leftMetrics).default([]),
  /** Paths of those that were written before the newest start of the experiment. */
  earlier: z.array(z.string()).default([]),
});

/**
 * Reads the files of an output folder on the instance that may hold metrics: JSON, JSON lines and CSV. Of long ones it
 * gives the numbers, without what they say of each sample.
 * @param known The mark of the last look; empty at first.
 */
export async function readMetricFiles(session: SshSession, experiment: string, outputPath: string, known: string) {
  return ask(session, {
    ask: "metric-files",
    document: { output: outputPath, mark: known, experiment },
    answer: metricFiles,
    what: "Reading the metrics",
    timeoutSeconds: 60,
  });
}
