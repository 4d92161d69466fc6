import { callAgent } from "./agent";
import type { SshSession } from "./session";

/** What a look at an experiment's metric files gave. `files`: path → content; absent where nothing has changed. */
export interface MetricFiles {
  /** Names this state of the files. */
  readonly mark: string;
  readonly files?: Readonly<Record<string, string>>;
}

/**
 * Reads the files of an output folder on the instance that may hold metrics: JSON, JSON lines and CSV.
 * @param known The mark of the last look; empty at first.
 */
export async function readMetricFiles(session: SshSession, outputPath: string, known: string): Promise<MetricFiles> {
  const call = { verb: "metric-files", document: { output: outputPath, mark: known } };
  const options = { timeoutSeconds: 60, maxOutputBytes: 64 * 1024 ** 2 };
  const text = await callAgent(session, call, "Reading the metrics", options);
  return JSON.parse(text) as MetricFiles;
}
