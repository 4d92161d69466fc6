import { mainNumbers, parsePython } from "../../remote/metrics-at-home";

/** Values of one metric over the course of training. `xs` rises. */
export interface Series {
  /** As the workload names it: `valid_loss`. */
  readonly name: string;
  /** What `xs` counts. */
  readonly axis: "step" | "epoch";
  /** Where it was read: a file of the outputs, or the log. */
  readonly source: "file" | "log";
  readonly xs: readonly number[];
  readonly ys: readonly number[];
}

/** A metric's one value, such as a score of the evaluation. */
export interface Score {
  readonly name: string;
  readonly value: number;
}

/** What an experiment's metric files say. */
export interface Metrics {
  readonly series: readonly Series[];
  /** The most telling ones first. */
  readonly scores: readonly Score[];
}

type Row = Readonly<Record<string, unknown>>;

const stepNames = ["step", "global_step", "steps", "iteration", "iter", "batch"];
const epochNames = ["epoch", "epochs"];
/** Columns that count or tell the time, and measure nothing. */
const counters = new Set([...stepNames, ...epochNames, "time", "timestamp", "seed", "rank"]);
/** More points than a chart has pixels cost without showing. */
const mostPoints = 1500;
const mostSeries = 40;

/**
 * Reads metric files, path → content. Tables of numbers become curves, evaluation results scores; the rest is nothing.
 * @param earlier Files whose scores are an earlier start's.
 */
export function metricsOf(files: Readonly<Record<string, string>>, earlier: readonly string[] = []): Metrics {
  const series = new Map<string, Series>();
  const evaluations: Record<string, unknown> = {};
  for (const path of Object.keys(files).sort()) {
    const content = parse(path, files[path] ?? "");
    for (const rows of tablesIn(content)) {
      for (const found of seriesOf(rows)) {
        const known = series.get(found.name);
        if (known === undefined || found.xs.length > known.xs.length) series.set(found.name, found);
      }
    }
    if (/eval|test/i.test(path) && !earlier.includes(path)) evaluations[path] = content;
  }
  const scores = Object.entries(mainNumbers(evaluations)).map(([name, value]) => ({ name, value }));
  return {
    series: [...series.values()].slice(0, mostSeries),
    scores: scores.filter(({ name }) => !counters.has(name)),
  };
}

function parse(path: string, text: string): unknown {
  try {
    if (path.endsWith(".csv")) return csvRows(text);
    return path.endsWith(".jsonl") ? jsonLines(text) : parsePython(text);
  } catch {
    return undefined;
  }
}

/** The last line may be half written. */
function jsonLines(text: string): unknown[] {
  return text.split("\n").flatMap((line) => {
    try {
      return line.trim() === "" ? [] : [parsePython(line)];
    } catch {
      return [];
    }
  });
}

/** Tables of numbers as loggers write them: no quotes, an empty cell where a row has no such value. */
function csvRows(text: string): Row[] {
  const [head = "", ...lines] = text.trim().split(/\r?\n/);
  const names = head.split(",").map((name) => name.trim());
  return lines.map((line) => {
    const cells = line.split(",");
    const cell = (at: number): number | undefined => {
      const word = cells[at]?.trim() ?? "";
      return word === "" || Number.isNaN(Number(word)) ? undefined : Number(word);
    };
    return Object.fromEntries(names.map((name, at) => [name, cell(at)]));
  });
}

/** Lists of records: the content itself, or members of it (`log_history`). */
function tablesIn(content: unknown): Row[][] {
  const isTable = (value: unknown): value is Row[] =>
    Array.isArray(value) && value.length > 0 && value.every((row) => typeof row === "object" && row !== null);
  if (isTable(content)) return [content];
  return typeof content === "object" && content !== null ? Object.values(content).filter(isTable) : [];
}

function seriesOf(rows: readonly Row[]): Series[] {
  const column = (names: readonly string[]): string | undefined =>
    names.find((name) => rows.some((row) => isNumber(row[name])));
  const step = column(stepNames);
  const x = step ?? column(epochNames);
  const axis = step === undefined && x !== undefined ? "epoch" : "step";
  const names = new Set(rows.flatMap((row) => Object.keys(row).filter((name) => isNumber(row[name]))));
  return [...names]
    .filter((name) => !counters.has(name))
    .map((name) => {
      const points = rows.flatMap((row, at): [number, number][] => {
        const value = row[name];
        const place = x === undefined ? at + 1 : row[x];
        return isNumber(value) && isNumber(place) ? [[place, value]] : [];
      });
      return { name, axis, source: "file", ...thinned(rising(points)) };
    });
}

/** In order, the last value of a place alone: a run that went on from a checkpoint has written some twice. */
function rising(points: readonly [number, number][]): [number, number][] {
  return [...new Map(points)].sort(([a], [b]) => a - b);
}

/** At most as many points as a chart can show, the first and the last among them. */
export function thinned(points: readonly (readonly [number, number])[]): { xs: number[]; ys: number[] } {
  const every = Math.ceil(points.length / mostPoints);
  const kept = points.filter((_, at) => at % every === 0 || at === points.length - 1);
  return { xs: kept.map(([x]) => x), ys: kept.map(([, y]) => y) };
}

function isNumber(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value);
}
