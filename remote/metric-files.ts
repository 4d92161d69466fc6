import { z } from "zod";
import { ask } from "./conversation";
import type { SshSession } from "./session";

/** What a look at an experiment's metric files gave. */
const metricFiles = z.object({
  /** Names this state of the files. */
  mark: z.string(),
  /** Path → content; absent where nothing has changed. */
  files: z.record(z.string(), z.string()).optional(),
});

/**
 * Reads the files of an output folder on the instance that may hold metrics: JSON, JSON lines and CSV.
 * @param known The mark of the last look; empty at first.
 */
export async function readMetricFiles(session: SshSession, outputPath: string, known: string) {
  return ask(session, {
    ask: "metric-files",
    document: { output: outputPath, mark: known },
    answer: metricFiles,
    what: "Reading the metrics",
    timeoutSeconds: 60,
  });
}
