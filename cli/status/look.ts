import { logLines, plainText } from "../../remote/log-text";
import { type MachineLook, readMachine } from "../../remote/machine";
import { type LeftMetrics, readMetricFiles } from "../../remote/metric-files";
import { readLogTail, readStatus } from "../../remote/run";
import type { SshSession } from "../../remote/session";
import type { RunStatus } from "../../remote/types";
import { courseOf } from "../curves/course";
import { LogCurves } from "../curves/log-curves";
import { metricsOf } from "../curves/metric-files";
import type { Progress } from "../curves/series";

/** A run and its machine, as they are now. */
export interface RunLook {
  readonly status: RunStatus;
  readonly machine: MachineLook;
  readonly progress: Progress | null;
  /** What its evaluation found, the most telling numbers first. */
  readonly metrics: Readonly<Record<string, number>>;
  /** Files that may hold metrics and were not read. */
  readonly metricsLeft?: readonly LeftMetrics[];
  /** The log's last lines. */
  readonly log: readonly string[];
}

/** What a look at a run tells besides its status. */
export type Details = Omit<RunLook, "status" | "machine"> & {
  readonly machine: MachineLook | null;
  /** Use of the processors, where two looks have told it. */
  readonly cpuPercent?: number;
};

/** The same where nobody could look. */
export const noDetails: Details = { machine: null, progress: null, metrics: {}, log: [] };

const mostLines = 8;

/**
 * Looks at a run over one connection.
 * @param trains Whether it trains itself. A worker of a sweep doesn't: its log tells of many trials, and has no curve.
 */
export async function lookAtRun(session: SshSession, experiment: string, trains = true): Promise<RunLook> {
  const status = await readStatus(session, experiment);
  const { outputPath, logPath } = status;
  const [machine, files, end] = await Promise.all([
    readMachine(session, { experiment, outputPath }),
    // Without an output folder a logger may have written beside it.
    trains ? readMetricFiles(session, experiment, outputPath ?? "", "") : undefined,
    readLogTail(session, logPath),
  ]);
  const log = logLines(end).slice(-mostLines).map(plainText);
  if (files === undefined) return { status, machine, progress: null, metrics: {}, log };
  const logged = new LogCurves();
  logged.push(Buffer.from(end));
  const look = logged.look({ ended: status.exitCode !== undefined });
  const { scores, progress } = courseOf(metricsOf(files.files ?? {}, files.earlier), look);
  // What is there while one is due was found by an earlier one.
  const isDue = ["pending", "running"].includes(status.evaluation?.state ?? "none");
  const metrics = Object.fromEntries(isDue ? [] : scores.map(({ name, value }) => [name, value]));
  const left = files.left.length > 0 && { metricsLeft: files.left };
  return { status, machine, progress, metrics, ...left, log };
}
