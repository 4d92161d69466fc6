import { ensureScripts } from "./bundle";
import { shellQuote } from "./quote";
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
  const scripts = await ensureScripts(session, ["metric-files.py"]);
  const command = `python3 ${scripts}/metric-files.py ${shellQuote(outputPath)} ${known === "" ? "''" : shellQuote(known)}`;
  const text = await session.run(command, "Reading the metrics", {
    timeoutSeconds: 60,
    maxOutputBytes: 64 * 1024 ** 2,
  });
  return JSON.parse(text) as MetricFiles;
}
