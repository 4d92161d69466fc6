import { existsSync, globSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { parseDocument, visit } from "yaml";
import { type Bill, type BilledRun, dollarsOf } from "../../lambda/billing/bill";
import { readLedger } from "../../lambda/billing/ledger";
import { ledgersFolder } from "../../local/paths";
import { mainNumbers, metricsIn } from "../../remote/metrics-at-home";
import { recordHead, resultsFile } from "../../remote/transfer/results-file";
import { parseSource } from "../../remote/transfer/results-source";
import { courseAtHome } from "../curves/at-home";
import { curveNamed } from "../curves/choose";
import { holdsMoreThanLogs } from "../stack/report";
import { placeText } from "../status/screen";
import type { Curve } from "./plot";

/** An experiment, as downloaded results and ledgers describe it. */
export interface ExperimentReport {
  readonly stack: string;
  readonly experiment: string;
  /**
   * How its last run ended. `downloaded`, `only its log is here`: its instance hasn't ended yet. `earlier run of …`: kept
   * when results of another run came.
   */
  readonly state: string;
  /** How far it came, as its metric files and its log say: `epoch 12`, `step 400`. */
  readonly progress: string | null;
  /** Numbers of its evaluation. */
  readonly metrics: Readonly<Record<string, number>>;
  /** Billed hours and dollars of all its instances; shared ones count in full. null: no bill yet. */
  readonly hours: number | null;
  readonly dollars: number | null;
  readonly emulated: boolean;
  /** ISO 8601: when results came home last, or else its last instance ended. */
  readonly when: string;
  /** Folder of its results, absolute; null if none are downloaded. */
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
    return names.map((name) => reportOf(stack, name, ledger.bills, metric));
  });
  return { found: all.sort((a, b) => b.report.when.localeCompare(a.report.when)), problems };
}

function reportOf(stack: string, experiment: string, all: readonly Bill[], metric: string): Found {
  const path = join(ledgersFolder(), stack, experiment);
  const folder = existsSync(join(path, resultsFile)) ? path : null;
  const bills = all.filter(({ runs }) => runs.some((run) => run.experiment === experiment));
  const last = bills.at(-1);
  const run: BilledRun | undefined = last?.runs.find((each) => each.experiment === experiment);
  const head = folder === null ? undefined : recordHead(folder);
  const reason = run?.reason === undefined ? "" : ` (${run.reason})`;
  const course = folder === null ? undefined : courseAtHome(folder, { wanted: [metric.toLowerCase()] });
  const curve = course === undefined ? undefined : curveNamed(course, metric);
  const points = curve?.xs.flatMap((x, at): [number, number][] => {
    const y = curve.ys[at];
    return y === undefined || !Number.isFinite(y) ? [] : [[x, y]];
  });
  const report: ExperimentReport = {
    stack,
    experiment,
    state: run === undefined ? stateWithoutBill(experiment, path, head?.source) : `${run.outcome}${reason}`,
    progress: course?.progress == null ? null : placeText(course.progress),
    metrics: { ...run?.metrics, ...(folder === null ? {} : mainNumbers(metricsIn(folder, "**/*eval*.json"))) },
    hours: last === undefined ? null : bills.reduce((sum, { minutes }) => sum + minutes, 0) / 60,
    dollars: last === undefined ? null : dollarsOf(...bills),
    emulated: last?.emulated ?? false,
    when: head?.createdAt ?? last?.terminatedAt ?? "",
    folder,
  };
  return {
    report,
    curve: points === undefined || points.length < 2 ? undefined : { name: `${stack}/${experiment}`, points },
  };
}

/** How a run ended of which no bill tells: results that another run's have taken the place of are kept under a dated name. */
function stateWithoutBill(experiment: string, path: string, source: string | undefined): string {
  if (!holdsMoreThanLogs(path)) return "only its log is here";
  const of = source === undefined ? undefined : parseSource(source);
  return of !== undefined && experiment.startsWith(`${of.experiment}.`)
    ? `earlier run of ${of.experiment}`
    : "downloaded";
}

/**
 * What an experiment was configured with, as `path.to.field` → value: its experiment file (the one in configs/ that has
 * its name), and the workload's own config among its results.
 */
export function configurationOf({ experiment, folder }: ExperimentReport, root: string): Record<string, unknown> {
  const files = globSync("configs/*.{yaml,yml}", { cwd: root }).map((file) => join(root, file));
  const own = files.map(readYaml).find((each) => (each as { experiment?: unknown } | null)?.experiment === experiment);
  const workloads = folder === null ? [] : globSync("{,*/,*/*/}config.{yaml,yml,json}", { cwd: folder }).sort();
  const theirs = workloads.slice(0, 1).map((file) => readYaml(join(folder ?? "", file)));
  return { ...flattened(own, ""), ...flattened(theirs[0], "workload config: ") };
}

function readYaml(file: string): unknown {
  try {
    const document = parseDocument(readFileSync(file, "utf8"), { uniqueKeys: false });
    if (document.errors.length > 0) return undefined;
    visit(document, {
      Scalar: (_, node) => {
        // 1.0, a commit such as 61e9540 and a long seed are shown as they are written.
        if (typeof node.value === "number" && String(node.value) !== node.source) node.value = node.source;
      },
    });
    return document.toJS() as unknown;
  } catch {
    return undefined;
  }
}

function flattened(value: unknown, prefix: string): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return value === undefined ? {} : { [prefix.replace(/\.$/, "")]: value };
  }
  return Object.assign({}, ...Object.entries(value).map(([key, each]) => flattened(each, `${prefix}${key}.`)));
}
