import { isMeasure } from "./names";
import { type Place, rising, type Series, thinned } from "./series";
import { numberIn, type Row } from "./tables";

/** Columns that count steps, the surest ones first. */
export const stepNames =
  "global_step step steps total_steps num_updates training_iteration iteration iter it update updates batch".split(" ");
const epochNames = ["epoch", "epochs"];
/** Columns that count or tell the time, and measure nothing. */
const counters = new Set([...stepNames, ...epochNames, "time", "timestamp", "runtime", "seed", "rank", "unnamed: 0"]);
/** Columns of tables with a row for each example, not for each time. */
const ofExamples =
  /^(?:id|idx|(?:image|sample|example|doc|query|item|question|instance)_?id|uid|uuid|example|sample|image|img|file|filename|path|text|prompt|question|answer|instruction|response|input|output|reference|hypothesis|pred|preds|prediction|predictions|predicted|labels?|targets?|gold|ground_truth|bbox|class|class_name)$/i;
const examplesPath =
  /(?:^|[/_.-])(?:predictions?|preds?|samples?|examples?|annotations?|generations?|per[-_]?(?:example|sample|class|image))(?:$|[/_.-])/i;
/** Rows in which a counter of a training stays the same. Examples of one evaluation have it the same in all. */
const mostOfOneCount = 3;

/** Counts and measures of a table. */
export interface History {
  readonly series: readonly Series[];
  /** Where its last row is. */
  readonly place: Place;
}

/** Whether files of such a name hold a row for each example. */
export function isOfExamples(path: string): boolean {
  return examplesPath.test(path);
}

/**
 * The curves of a table that was written in the course of training: undefined for one of examples, such as an evaluation's
 * predictions, and for settings.
 * @param mustCount A table without a counter is none.
 */
export function historyOf(rows: readonly Row[], mustCount: boolean): History | undefined {
  const names = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  if (names.some((name) => ofExamples.test(name.trim()))) return undefined;
  const numbers = names.filter((name) => rows.some((row) => numberIn(row[name]) !== undefined));
  const measured = numbers.filter((name) => !isCounter(name));
  const step = counterOf(numbers, stepNames);
  const epoch = counterOf(numbers, epochNames);
  const counter = step ?? epoch;
  if (counter === undefined ? mustCount || !isPlain(rows, names, measured) : !goesOn(rows, counter)) return undefined;
  const isByEpoch = step !== undefined && epoch !== undefined && beginsAgain(rows, step, epoch);
  const most = isByEpoch ? numbersIn(rows, step).reduce((a, b) => (b > a ? b : a), 0) : 0;
  const place = (row: Row, at: number): number | undefined => {
    if (counter === undefined) return at + 1;
    const [ofStep, ofEpoch] = [numberIn(row[step ?? ""]), numberIn(row[epoch ?? ""])];
    if (!isByEpoch) return step === undefined ? ofEpoch : ofStep;
    return ofEpoch === undefined ? undefined : ofEpoch + (ofStep ?? most) / (most + 1);
  };
  const axis = (counter !== undefined && step === undefined) || isByEpoch ? "epoch" : "step";
  const series = measured.map((name): Series => {
    const points = rows.flatMap((row, at): [number, number][] => {
      const [x, value] = [place(row, at), numberIn(row[name])];
      return value === undefined || x === undefined ? [] : [[x, value]];
    });
    return { name: name.trim(), axis, source: "file", ...thinned(rising(points)) };
  });
  return {
    series: series.filter(({ xs }) => xs.length > 0),
    place: { ...(isByEpoch ? {} : lastOf(rows, step, "step")), ...lastOf(rows, epoch, "epoch") },
  };
}

/** Whether a column counts or tells the time. */
export function isCounter(name: string): boolean {
  return counters.has(lastPart(name));
}

/** Whether a table without a counter is one of measures alone. */
function isPlain(rows: readonly Row[], names: readonly string[], measured: readonly string[]): boolean {
  const isWhole = (row: Row): boolean =>
    Object.values(row).every((value) => value === null || numberIn(value) !== undefined);
  return measured.some(isMeasure) && !names.some((name) => /^index$/i.test(name)) && rows.every(isWhole);
}

function lastPart(name: string): string {
  return name.trim().split("/").at(-1)?.toLowerCase().replace(/^_/, "") ?? "";
}

function counterOf(names: readonly string[], wanted: readonly string[]): string | undefined {
  return wanted.map((each) => names.find((name) => lastPart(name) === each)).find((name) => name !== undefined);
}

/** Whether a counter goes on in a table: it stays the same in one of an evaluation. */
function goesOn(rows: readonly Row[], counter: string): boolean {
  const counts = numbersIn(rows, counter);
  return counts.length <= mostOfOneCount || new Set(counts).size > 1;
}

function numbersIn(rows: readonly Row[], name: string): number[] {
  return rows.flatMap((row) => numberIn(row[name]) ?? []);
}

/** Whether steps are counted from the beginning of each epoch. */
function beginsAgain(rows: readonly Row[], step: string, epoch: string): boolean {
  let last: { step: number; epoch: number } | undefined;
  for (const row of rows) {
    const next = { step: numberIn(row[step]), epoch: numberIn(row[epoch]) };
    if (next.step === undefined || next.epoch === undefined) continue;
    if (last !== undefined && next.epoch > last.epoch && next.step <= last.step) return true;
    last = { step: next.step, epoch: next.epoch };
  }
  return false;
}

function lastOf(rows: readonly Row[], name: string | undefined, as: "step" | "epoch"): Place {
  const last = name === undefined ? undefined : rows.findLast((row) => Number.isFinite(numberIn(row[name])));
  return last === undefined || name === undefined ? {} : { [as]: numberIn(last[name]) };
}
