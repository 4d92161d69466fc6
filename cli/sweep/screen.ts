import pc from "picocolors";
import { duration } from "../../lambda/api/waiting";
import { table } from "../../local/table";
import { plainText } from "../../remote/log-text";
import type { Study, Trial } from "../../remote/study";

/** Of many trials these are shown: those that run, then the best, then the newest. */
const mostTrials = 24;

/** How many trials are in which state: `5 complete, 2 running`. */
export function countsOf({ trials }: Pick<Study, "trials">): string {
  const states = [...new Set(trials.map(({ state }) => state))];
  return states.map((each) => `${trials.filter(({ state }) => state === each).length} ${each}`).join(", ");
}

/** A trial's values in one line: `lr=0.001 batch=32`. */
export function valuesText(params: Trial["params"]): string {
  return Object.entries(params)
    .map(([name, value]) => `${name}=${text(value)}`)
    .join(" ");
}

function text(value: unknown): string {
  return typeof value === "string"
    ? plainText(value)
    : typeof value === "number"
      ? figure(value)
      : JSON.stringify(value);
}

function figure(value: number): string {
  return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(4)));
}

/** The best trials first, as the sweep's direction has it; those without a value last, by number. */
export function ranked({ trials, direction }: Pick<Study, "trials" | "direction">): Trial[] {
  const sign = direction === "minimize" ? 1 : -1;
  const weight = ({ value }: Trial): number =>
    value === null || value === undefined ? Number.POSITIVE_INFINITY : sign * value;
  return trials.toSorted((a, b) => compare(weight(a), weight(b)) || a.number - b.number);
}

function compare(a: number, b: number): number {
  return a === b ? 0 : a < b ? -1 : 1;
}

/**
 * The trials of a sweep as a table for a terminal.
 * @param now Seconds since the epoch.
 */
export function trialLines(study: Study, now: number): string[] {
  const { metric, best } = study;
  const running = study.trials.filter(({ state }) => state === "running");
  const others = ranked(study).filter(({ state }) => state !== "running" && state !== "withdrawn");
  const shown = [...running, ...others].slice(0, mostTrials);
  const names = [...new Set(study.trials.flatMap(({ params }) => Object.keys(params)))];
  const head = ["trial", "state", metric, ...names, "machine", "start", "time"];
  const rows = shown.map((trial) => [
    String(trial.number),
    trial.state,
    trial.value === null || trial.value === undefined ? lastOf(trial) : figure(trial.value),
    ...names.map((name) => (Object.hasOwn(trial.params, name) ? text(trial.params[name]) : "")),
    trial.machine ?? "",
    trial.attempt > 1 ? String(trial.attempt) : "",
    timeOf(trial, now),
  ]);
  const [title = "", ...lines] = table([head, ...rows]);
  const more = study.trials.length - shown.length;
  return [
    pc.dim(title),
    ...lines.map((line, at) => (shown[at]?.number === best ? pc.green(line) : line)),
    ...(more > 0 ? [pc.dim(`and ${more} more`)] : []),
  ];
}

/** What a trial that goes on has logged last. */
function lastOf({ state, values }: Trial): string {
  const last = values.at(-1)?.[1];
  return state !== "running" || last === null || last === undefined ? "" : `${figure(last)} so far`;
}

function timeOf({ startedAt, endedAt, state }: Trial, now: number): string {
  if (startedAt === undefined) return "";
  const end = endedAt ?? (state === "running" ? now : undefined);
  return end === undefined ? "" : duration(Math.max(0, end - startedAt));
}
