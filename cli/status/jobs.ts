import pc from "picocolors";
import { duration } from "../../lambda/api/waiting";
import { plainText } from "../../remote/log-text";
import type { RunStatus } from "../../remote/types";
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
