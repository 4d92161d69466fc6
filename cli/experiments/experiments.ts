import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { type Bill, type BilledRun, dollarsOf } from "../../lambda/billing/bill";
import { readLedger } from "../../lambda/billing/ledger";
import { ledgersFolder } from "../../local/paths";
import { leftMetricsText } from "../../remote/metric-files";
import { mainNumbers, metricsIn } from "../../remote/metrics-at-home";
import { type RecordHead, recordHead, resultsFile } from "../../remote/transfer/results-file";
import { parseSource } from "../../remote/transfer/results-source";
import { evaluatedEarlier } from "../../remote/transfer/run-record";
import { courseAtHome } from "../curves/at-home";
import { curveNamed } from "../curves/choose";
import { holdsMoreThanLogs } from "../stack/results-home";
import { placeText } from "../status/text";
import type { Curve } from "./plot";
import { type Configuration, configInResults, configurationOfRun, configurationToday } from "./ran";

/** An experiment, as downloaded results and ledgers describe it. */
export interface ExperimentReport {
  readonly stack: string;
  readonly experiment: string;
  /**
   * How its last run ended, and whether the results here are of another. `downloaded`, `only its log is here`: its instance
   * hasn't ended yet. `earlier run of …`: kept when results of another run came.
   */
  readonly state: string;
  /** How far it came, as its metric files and its log say: `epoch 12`, `step 400`. */
  readonly progress: string | null;
  /** Numbers of its evaluation. */
  readonly metrics: Readonly<Record<string, number>>;
  /** The start whose evaluation that was, where a later one was not evaluated. null: its newest. */
  readonly metricsOfStart: number | null;
  /** Billed hours and dollars of all its instances; shared ones count in full. null: no bill yet. */
  readonly hours: number | null;
  readonly dollars: number | null;
  readonly emulated: boolean;
  /** ISO 8601: when results came home last, or else its last instance ended. */
  readonly when: string;
  /** Folder of its results, absolute; null if none are downloaded, or only those of an earlier instance. */
  readonly folder: string | null;
}

/** An experiment, and one of its curves; undefined if it has fewer than two points. */
export interface Found {
  readonly report: ExperimentReport;
  readonly curve: Curve | undefined;
}

/**
 * Every experiment that left something here, newest first; and what could not be read.
 * @param metric What the curves show.
 */
export function allExperiments(metric: string): { readonly found: Found[]; readonly problems: readonly string[] } {
  const root = ledgersFolder();
  const stacks = existsSync(root) ? readdirSync(root).filter((name) => statSync(join(root, name)).isDirectory()) : [];
  const problems: string[] = [];
  const all = stacks.flatMap((stack) => {
    const ledger = readLedger(stack);
    problems.push(...ledger.problems);
    // Hidden folders are downloads in progress, or interrupted ones.
    const home = readdirSync(join(root, stack)).filter(
      (name) => !name.startsWith(".") && existsSync(join(root, stack, name, resultsFile)),
    );
    const billed = ledger.bills.flatMap(({ runs }) => runs.map(({ experiment }) => experiment));
    const names = [...new Set([...home, ...billed])];
    return names.map((name) => {
      const { left, ...found } = reportOf(stack, name, ledger.bills, metric);
      if (left.length > 0) problems.push(`${stack}/${name}: metrics that were not read: ${left.join(", ")}`);
      return found;
    });
  });
  return { found: all.sort((a, b) => b.report.when.localeCompare(a.report.when)), problems };
}

function reportOf(
  stack: string,
  experiment: string,
  all: readonly Bill[],
  metric: string,
): Found & { readonly left: readonly string[] } {
  const path = join(ledgersFolder(), stack, experiment);
  const head = existsSync(join(path, resultsFile)) ? recordHead(path) : undefined;
  const bills = all.filter(({ runs }) => runs.some((run) => run.experiment === experiment));
  const last = bills.at(-1);
  const age = ageOf(head, bills);
  const folder = existsSync(join(path, resultsFile)) && age !== "earlier" ? path : null;
  // What a bill tells of a run is not what one on a later instance has come to.
  const run: BilledRun | undefined =
    age === "later" ? undefined : last?.runs.find((each) => each.experiment === experiment);
  const reason = run?.reason === undefined ? "" : ` (${run.reason})`;
  const others = age === "earlier" ? "; the results here are of an earlier instance" : "";
  const { files = {}, left = [] } = folder === null ? {} : metricsIn(folder, "**/*eval*.json");
  const start = head?.run === undefined || folder === null ? undefined : evaluatedEarlier(head.run);
  const course = folder === null ? undefined : courseAtHome(folder, { wanted: [metric.toLowerCase()] });
  const curve = course === undefined ? undefined : curveNamed(course, metric);
  const points = curve?.xs.flatMap((x, at): [number, number][] => {
    const y = curve.ys[at];
    return y === undefined || !Number.isFinite(y) ? [] : [[x, y]];
  });
  const report: ExperimentReport = {
    stack,
    experiment,
    state: run === undefined ? stateWithoutBill(experiment, path, head?.source) : `${run.outcome}${reason}${others}`,
    progress: course?.progress == null ? null : placeText(course.progress),
    metrics: { ...run?.metrics, ...mainNumbers(files) },
    metricsOfStart: start ?? null,
    hours: last === undefined ? null : bills.reduce((sum, { minutes }) => sum + minutes, 0) / 60,
    dollars: last === undefined ? null : dollarsOf(...bills),
    emulated: last?.emulated ?? false,
    when: (age === "earlier" ? last?.terminatedAt : undefined) ?? head?.createdAt ?? last?.terminatedAt ?? "",
    folder,
  };
  return {
    report,
    curve: points === undefined || points.length < 2 ? undefined : { name: `${stack}/${experiment}`, points },
    left: left.map(leftMetricsText),
  };
}

/**
 * Whether the results here are those of the instance that was billed last, of one before it, or of a later one, which has
 * no bill yet. Where nothing tells they count as the last one's.
 */
function ageOf(head: RecordHead | undefined, bills: readonly Bill[]): "same" | "earlier" | "later" {
  const last = bills.at(-1);
  const from = head === undefined ? undefined : parseSource(head.source)?.instance;
  if (head === undefined || last === undefined || from === undefined || from === last.instanceId) return "same";
  const isBilled = bills.some(({ instanceId }) => instanceId === from);
  return !isBilled && Date.parse(head.createdAt) > Date.parse(last.launchedAt) ? "later" : "earlier";
}

/** How a run ended of which no bill tells: results that another run's have taken the place of are kept under a dated name. */
function stateWithoutBill(experiment: string, path: string, source: string | undefined): string {
  if (!holdsMoreThanLogs(path)) return "only its log is here";
  const of = source === undefined ? undefined : parseSource(source);
  return of !== undefined && experiment.startsWith(`${of.experiment}.`)
    ? `earlier run of ${of.experiment}`
    : "downloaded";
}

/** What an experiment was configured with; `isToday`: no record tells what ran, so that is what the files here say today. */
export function configurationOf(
  { experiment, folder }: Pick<ExperimentReport, "experiment" | "folder">,
  root: string,
): { readonly configuration: Configuration; readonly isToday: boolean } {
  const ran = folder === null ? undefined : recordHead(folder)?.run;
  if (ran?.workload === undefined)
    return { configuration: configurationToday(experiment, folder, root), isToday: true };
  return { configuration: { ...configurationOfRun(ran), ...configInResults(folder) }, isToday: false };
}
