import pc from "picocolors";
import { duration } from "../../lambda/api/waiting";
import { plainText } from "../../remote/log-text";
import type { RunStatus } from "../../remote/types";
import type { JobReport } from "../stack/report";
import type { Row } from "./text";

/** The jobs beside a run, a row each. */
export function jobRows({ jobs = [], now }: RunStatus): Row[] {
  return jobs.map(({ experiment, state, startedAt, exitCode, stopReason }, at) => {
    const ago = startedAt === undefined ? "" : `  ${duration(Math.max(0, now - Date.parse(startedAt) / 1000))} ago`;
    const why = stopReason === undefined ? "" : ` (${plainText(stopReason)})`;
    const ended = exitCode === undefined ? ago : `  exit status ${exitCode}${why}`;
    return [at === 0 ? "jobs" : "", `${pc.bold(experiment)}  ${state}${ended}`];
  });
}

/** The jobs on a fleet's machines, a row each, which begins with its machine. */
export function fleetJobRows(all: readonly JobReport[]): Row[] {
  const texts = all.flatMap(({ job, report: { run } }) =>
    "jobs" in run ? jobRows(run).map(([, text]) => `${job.machine}  ${text}`) : [],
  );
  return texts.map((text, at) => [at === 0 ? "jobs" : "", text]);
}
