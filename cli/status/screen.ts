import pc from "picocolors";
import { duration } from "../../lambda/api/waiting";
import { money } from "../../lambda/billing/bill";
import { rentText } from "../../lambda/billing/rent";
import { isGone } from "../../lambda/life/presence";
import { megabytes } from "../../local/folder/progress";
import { eventText, isEventful } from "../../remote/events";
import { plainText } from "../../remote/log-text";
import type { MachineLook } from "../../remote/machine";
import { leftMetricsText } from "../../remote/metric-files";
import { startsAgain } from "../../remote/run";
import type { RunEvent, RunStatus } from "../../remote/types";
import { filesText, foundText, leftText } from "../../remote/written";
import type { Progress } from "../curves/series";
import type { CostReport, JobReport, StackReport, StrayReport } from "../stack/report";
import type { SweepReport } from "../sweep/report";
import { fleetLines, sweepRows, trialRows } from "./fleet";
import { fleetJobRows, jobRows } from "./jobs";
import { noDetails } from "./look";
import { cut, figures, placeText, type Row } from "./text";

const label = 12;
/** Of more machines and runs each has one line alone. */
const mostParts = 4;
/** Of the history, the newest. */
const mostEvents = 6;

/**
 * The reports as lines for a person, none longer than the terminal is wide. Machine and run of a stack that has one of
 * each stand together; of others each machine stands by itself, above its runs.
 */
export function screenOf(all: readonly JobReport[], width: number, sweeps: readonly SweepReport[] = []): string[] {
  const [first, ...more] = all;
  if (first === undefined) return [];
  const head: Row[] = [["stack", pc.bold(first.report.stack)]];
  const whole = [...costRows(first.report), ...first.report.strays.flatMap(describeStray)];
  const named = all.map(({ job, cost, report }, at) => {
    const isFirst = all.findIndex((each) => each.job.machine === job.machine) === at;
    const own: Row[] = cost === null ? [] : [["cost", soFar(cost)]];
    const rows: Row[] = isFirst
      ? [["machine", pc.bold(job.machine)], ...instanceRows(report), ...fileSystemRows(report), ...own]
      : [];
    return shown([...rows, ...runRows(report, isFirst)], report.log, width);
  });
  const single = [
    ...head,
    ...instanceRows(first.report),
    ...fileSystemRows(first.report),
    ...whole,
    ...runRows(first.report, true),
  ];
  const fleet = [fleetLines(all, width), shown(fleetJobRows(all), [], width)].filter((lines) => lines.length > 0);
  const machines = all.length > mostParts ? fleet : named;
  const trials = sweeps.map((sweep) => shown(sweepRows(sweep), trialRows(sweep), width));
  const parts =
    more.length === 0
      ? [shown(single, first.report.log, width), ...trials]
      : [shown([...head, ...whole], [], width), ...trials, ...machines];
  return [...parts.flatMap((lines) => [...lines, ""]), ...shown([["next", nextStep(all)]], [], width)];
}

/** Rows, and the end of a log below them. */
function shown(rows: readonly Row[], log: readonly string[] = [], width: number): string[] {
  const lines = rows.map(([name, text]) => `${pc.dim(name.padEnd(label))}${cut(text, width - label)}`);
  return [...lines, ...(log.length > 0 ? ["", ...log.map((line) => pc.dim(`  ${cut(line, width - 2)}`))] : [])];
}

function instanceRows({ instance, strays, unknown, maintenance = [] }: StackReport): Row[] {
  if (instance === null && unknown !== null)
    return [["instance", pc.yellow(`unknown whether one is billed: ${unknown}`)]];
  if (instance === null) return strays.length > 0 ? [] : [["instance", "none: no instance is billed"]];
  const { status, type, region, ip, id } = instance;
  const rows: Row[] = [
    ["instance", `${colour(status)}  ${type} in ${region}  ${ip ?? "no address yet"}`],
    ["", pc.dim(id)],
  ];
  const ended: Row = ["cost", "nothing more: the instance is gone; `up` or `down` prints its bill"];
  const warned = maintenance.map(({ text }): Row => ["maintenance", pc.yellow(text)]);
  return isGone(status) ? [...rows, ended] : [...rows, ...warned];
}

function fileSystemRows({ fileSystem }: StackReport): Row[] {
  if (fileSystem === undefined) return [];
  const { name, region, bytesUsed } = fileSystem;
  const rent = rentText({ bytesUsed: bytesUsed ?? undefined });
  return [["file system", `${name} in ${region}  ${rent}, with or without an instance`]];
}

function describeStray({ id, name, type, region, status, launchedAt, dollarsPerHour, dollars }: StrayReport): Row[] {
  const since = launchedAt === null ? "launched at an unknown time" : `launched at ${launchedAt}`;
  const price = dollarsPerHour === null ? "price unknown" : `${money(dollarsPerHour)} per hour`;
  const cost = dollars === null ? "" : `, ${money(dollars)} so far`;
  return [
    ["instance", `${pc.red("not in the state")}  ${colour(status)}  ${type} in ${region}  ${price}${cost}`],
    ["", pc.dim(`${id}  ${since} as ${name}`)],
    ["", "launched, but missing from the state: `npm run up` adopts it, `npm run down` terminates it"],
  ];
}

function soFar({ dollars, dollarsPerHour }: Pick<CostReport, "dollars" | "dollarsPerHour">): string {
  return `${money(dollars)} so far, ${money(dollarsPerHour)} per hour`;
}

function costRows({ cost }: StackReport): Row[] {
  if (cost === null) return [];
  const { dollars, budgetDollars, dollarsLeft, hoursLeft } = cost;
  const rows: Row[] = [["cost", `${soFar(cost)} until \`down\``]];
  const left = hoursLeft === null ? "" : `${duration(hoursLeft * 3600)} left to the run`;
  if (budgetDollars === null || dollarsLeft === null) return left === "" ? rows : [...rows, ["limit", left]];
  const used = budgetDollars === 0 ? 1 : Math.min(1, dollars / budgetDollars);
  const text = `${bar(used)} ${money(dollarsLeft)} left of ${money(budgetDollars)}`;
  return [...rows, ["budget", [text, left].filter((part) => part !== "").join(", ")]];
}

/** @param isFirst Of its machine's runs: with that the use of the machine is told. */
function runRows(report: StackReport, isFirst: boolean): Row[] {
  const { experiment, node, run, results, resultsLack, instance, waits, progress, metrics, machine, cpuPercent } = {
    ...noDetails,
    ...report,
  };
  const { metricsLeft = [] } = report;
  if (instance === null) return [];
  if (experiment === null || run.state === "absent") return [["run", "not started"]];
  const reason = "reason" in run ? `: ${run.reason}` : "";
  const rank = node === undefined ? "" : `  rank ${node.rank} of ${node.nodes} machines`;
  const rows: (Row | undefined)[] = [["run", `${pc.bold(experiment)}  ${colour(run.state)}${reason}${rank}`]];
  if ("logPath" in run) rows.push(...describeRun(run));
  if (waits !== undefined)
    rows.push(["waits", `${waits.join(", ")}: changed; the next \`up\` after the run applies it`]);
  if (progress !== null) rows.push(["progress", describeProgress(progress)]);
  if (Object.keys(metrics).length > 0) rows.push(["metrics", figures(metrics).join("  ")]);
  if (metricsLeft.length > 0) rows.push(["not read", pc.yellow(metricsLeft.map(leftMetricsText).join(", "))]);
  if (machine !== null && isFirst) rows.push(...describeUse(machine, cpuPercent));
  if (machine !== null) rows.push(...describeCheckpoints(machine));
  rows.push(["results", results ?? "not downloaded yet: `npm run results` does it now, `down` in any case"]);
  if ("jobs" in run) rows.push(...jobRows(run));
  if (resultsLack !== undefined) rows.push(["", pc.yellow(`${resultsLack}: \`npm run results\` downloads the rest`)]);
  return rows.filter((row) => row !== undefined);
}

function describeRun(status: RunStatus): (Row | undefined)[] {
  const {
    startedAt,
    attempt = 1,
    endedAt,
    exitCode,
    stopReason,
    evaluation,
    idleSeconds,
    detached,
    doubt,
    unsupervised,
    events = [],
  } = status;
  // Both times are the instance's, whose clock may be another than this one.
  const since =
    startedAt === undefined ? "" : `, ${duration(Math.max(0, status.now - Date.parse(startedAt) / 1000))} ago`;
  const quiet =
    idleSeconds !== undefined && idleSeconds > 120 ? pc.yellow(`, silent for ${duration(idleSeconds)}`) : "";
  const ended = selfEnd(status);
  const [elsewhere, left] = [foundText(status.writtenElsewhere), leftText(status.writtenElsewhere)];
  return [
    startedAt === undefined
      ? undefined
      : ["started", `${startedAt}${since}${attempt > 1 ? `, start ${attempt}` : ""}${quiet}`],
    endedAt === undefined
      ? undefined
      : ["ended", `${endedAt}, exit status ${exitCode}${stopReason === undefined ? "" : ` (${stopReason})`}`],
    detached === undefined ? undefined : ["", pc.red(`it detached itself and was ended: ${detached}`)],
    doubt === undefined ? undefined : ["", pc.red(`may have failed: ${doubt}`)],
    unsupervised === undefined
      ? undefined
      : ["", pc.red("unsupervised: no limit is enforced; the next `npm run status` tries to supervise it again")],
    elsewhere === undefined ? undefined : ["elsewhere", `${elsewhere}: downloads go to beside/`],
    left === undefined ? undefined : ["left out", pc.yellow(left)],
    evaluation === undefined || evaluation.state === "none" ? undefined : ["evaluation", evaluation.state],
    resumeRow(status),
    copyRow(status),
    bucketRow(status),
    ended === undefined ? undefined : ["self-end", ended],
    ...historyRows(events),
  ];
}

/** From which checkpoint it goes on, or went on. */
function resumeRow(status: RunStatus): Row | undefined {
  const { resumesFrom, resumedFrom } = status;
  if (startsAgain(status)) return resumesFrom === undefined ? undefined : ["resumes", `from ${plainText(resumesFrom)}`];
  return resumedFrom === undefined ? undefined : ["resumed", `from ${plainText(resumedFrom)}`];
}

/** The copy of its newest checkpoint on a file system. */
function copyRow({ copied, now }: RunStatus): Row | undefined {
  if (copied === undefined) return undefined;
  const { to, checkpoint = "", at = now, problem } = copied;
  return problem === undefined
    ? ["copied", `${plainText(checkpoint)} to ${plainText(to)}, ${duration(Math.max(0, now - at))} ago`]
    : ["copied", pc.yellow(`no checkpoint to ${plainText(to)}: ${plainText(problem)}`)];
}

/** Its results in their bucket. */
function bucketRow({ inBucket }: RunStatus): Row | undefined {
  if (inBucket === undefined) return undefined;
  const { url, files = 0, bytes = 0, problem } = inBucket;
  return problem === undefined
    ? ["bucket", `${filesText(files, bytes)} in ${plainText(url)}`]
    : ["bucket", pc.yellow(`no results in ${plainText(url)}: ${plainText(problem)}`)];
}

/** What happened last to a run that has not simply gone its way. */
function historyRows(events: readonly RunEvent[]): Row[] {
  if (!isEventful(events)) return [];
  return events.slice(-mostEvents).map((event, place) => {
    const at = `${new Date(event.at * 1000).toISOString().slice(0, 19)}Z`;
    return [place === 0 ? "history" : "", pc.dim(`${at}  ${eventText(event)}`)];
  });
}

function describeProgress(progress: Progress): string {
  return [pc.bold(placeText(progress)), ...figures(progress.values)].join("  ");
}

function describeUse({ gpus, cpu, memory, disk }: MachineLook, cpuPercent?: number): Row[] {
  const used = ({ totalBytes, freeBytes }: MachineLook["memory"]): string =>
    `${gigabytes(totalBytes - freeBytes)} of ${gigabytes(totalBytes)} GB`;
  const rows: Row[] = gpus.map(({ name, percent, usedBytes, totalBytes, celsius }, at) => [
    gpus.length > 1 ? `gpu ${at}` : "gpu",
    [
      percent === null ? "use unknown" : `${percent} %`,
      usedBytes === null || totalBytes === null ? "" : used({ totalBytes, freeBytes: totalBytes - usedBytes }),
      celsius === null ? "" : `${celsius} °C`,
      pc.dim(name),
    ].join("  "),
  ]);
  const processors = cpuPercent === undefined ? `${cpu.count} processors` : `CPU ${Math.round(cpuPercent)} %`;
  return [...rows, ["machine", `${processors}  memory ${used(memory)}  disk ${used(disk)}`]];
}

function describeCheckpoints({ checkpoints, now }: MachineLook): Row[] {
  const [newest] = checkpoints;
  if (newest === undefined) return [];
  const { path, bytes, writtenAt } = newest;
  const age = duration(Math.max(0, now - writtenAt));
  return [["checkpoints", `${checkpoints.length}, newest ${path}  ${megabytes(bytes)} MB, ${age} ago`]];
}

/** When the instance ends itself; undefined where it was not told to. */
function selfEnd({ selfTermination, now }: RunStatus): string | undefined {
  if (selfTermination === undefined) return undefined;
  const { watched, last } = selfTermination;
  if (!watched) return "NOT WATCHED (rebooted?): `npm run up -- --refresh` starts the watch again";
  switch (last.state) {
    case "busy":
      return "some time after the last work there";
    case "waiting":
      return `in ${duration(Math.max(0, (last.at ?? now) - now))}, if its results are safe by then`;
    case "unsafe":
      return `waits: ${last.text}`;
    case "terminating":
      return "now: it has called the API";
    default:
      return `FAILED, keeps billing: ${last.text}`;
  }
}

/** What to do as things are. Of several runs the one tells it that needs most to be done. */
function nextStep(all: readonly JobReport[]): string {
  const urgent = ["unreachable", "failed", "stopped"];
  const weight = ({ run: { state } }: JobReport): number =>
    urgent.includes(state) ? urgent.indexOf(state) : state === "finished" ? urgent.length + 1 : urgent.length;
  const [{ job, report }] = all.toSorted((a, b) => weight(a) - weight(b)) as [JobReport];
  const { stack, instance, experiment, run, results, strays, unknown } = report;
  const call = (name: string, ...more: string[]): string => {
    const isOfRun = name === "logs" && job.label !== undefined;
    const args = [...(stack === "dev" ? [] : ["--stack", stack]), ...(isOfRun ? ["--run", job.name] : []), ...more];
    return pc.bold(args.length === 0 ? `npm run ${name}` : `npm run ${name} -- ${args.join(" ")}`);
  };
  if (strays.length > 0) return `${call("up")} adopts what was launched; ${call("down")} terminates it`;
  if (unknown !== null) return `${call("status")} again, when the API answers`;
  if (instance === null) return `${call("up")} launches an instance and starts the run`;
  if (isGone(instance.status)) {
    const then =
      job.run?.resume === undefined ? "starts over" : "resumes from the newest checkpoint that left this one";
    return `${call("up")} launches another and ${then}; ${call("down")} cleans up`;
  }
  if (experiment === null || run.state === "absent") return `${call("up")} continues where it stopped`;
  if (run.state === "unreachable") return `${call("up")} opens the firewall to this address; ${call("doctor")}`;
  if ("detached" in run && run.detached !== undefined)
    return `run training in the foreground (train.command), then ${call("up")}`;
  // The state may not know yet how the run ended: only a refresh tells it.
  const again = `${call("up", "--refresh")} starts it again`;
  if (run.state === "failed") return `${call("logs")}; fix it, then ${again}`;
  if (run.state === "stopped") {
    const next = startsAgain(run) ? again : `raise the limit, then ${call("up")} starts it again`;
    return `${next}; ${call("down")} downloads the results and ends the bill`;
  }
  if (run.state === "finished")
    return `${call("down")} downloads ${results === null ? "the results" : "what is new"} and ends the bill`;
  return `${call("logs")}, ${call("dashboard")}, ${call("down")}`;
}

function colour(state: string): string {
  if (["running", "finished", "active", "evaluating"].includes(state)) return pc.green(state);
  if (["failed", "gone", "terminated", "unhealthy", "preempted"].includes(state)) return pc.red(state);
  return pc.yellow(state);
}

function bar(part: number): string {
  const full = Math.round(part * 12);
  const paint = part >= 1 ? pc.red : part >= 0.8 ? pc.yellow : pc.green;
  return paint("█".repeat(full)) + pc.dim("░".repeat(12 - full));
}

const gigabytes = (bytes: number): string => (bytes / 1e9).toFixed(bytes < 1e10 ? 1 : 0);
