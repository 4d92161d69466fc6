import { type MachineLook, readMachine } from "../../remote/machine";
import { type LeftMetrics, readMetricFiles } from "../../remote/metric-files";
import { readLogTail, readStatus } from "../../remote/run";
import type { SshSession } from "../../remote/session";
import type { RunStatus } from "../../remote/types";
import { LogSeries } from "../page/log-series";
import { metricsOf, type Series } from "../page/series";

/** How far training is: the newest values that its metric files, or else its log, tell. */
export interface Progress {
  readonly axis: "step" | "epoch";
  readonly at: number;
  /** By the workload's own names. */
  readonly values: Readonly<Record<string, number>>;
}

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

const logLines = 8;

/** Looks at a run over one connection. */
export async function lookAtRun(session: SshSession, experiment: string): Promise<RunLook> {
  const status = await readStatus(session, experiment);
  const { outputPath, logPath } = status;
  const [machine, files, lines] = await Promise.all([
    readMachine(session, { experiment, outputPath }),
    outputPath === undefined ? undefined : readMetricFiles(session, experiment, outputPath, ""),
    readLogTail(session, logPath),
  ]);
  const told = new LogSeries();
  for (const line of lines) told.push(line);
  const { series, scores } = metricsOf(files?.files ?? {}, files?.earlier);
  const progress = progressOf([...series, ...told.series]);
  // What is there while one is due was found by an earlier one.
  const isDue = ["pending", "running"].includes(status.evaluation?.state ?? "none");
  const metrics = Object.fromEntries(isDue ? [] : scores.map(({ name, value }) => [name, value]));
  const left = files !== undefined && files.left.length > 0 && { metricsLeft: files.left };
  return { status, machine, progress, metrics, ...left, log: lines.slice(-logLines) };
}

/** The newest point of the curves that go furthest on the axis of the finest count. */
export function progressOf(series: readonly Series[]): Progress | null {
  const axis = series.some((each) => each.axis === "step") ? "step" : "epoch";
  const last = series
    .filter((each) => each.axis === axis && each.xs.length > 0)
    .map(({ name, xs, ys }) => ({ name, at: xs.at(-1) ?? 0, value: ys.at(-1) ?? 0 }));
  if (last.length === 0) return null;
  return {
    axis,
    at: Math.max(...last.map(({ at }) => at)),
    values: Object.fromEntries(last.map(({ name, value }) => [name, value])),
  };
}
