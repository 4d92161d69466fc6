import { globSync, readFileSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { parsePython } from "../../remote/metrics-at-home";
import { resultsFile } from "../../remote/transfer/results-file";
import { readLines } from "../terminal/lines";

/** A metric over the course of a training: [epoch or step, value]. */
export type Series = [number, number][];

const mostHistories = 1000;
/** Bytes. */
const longestHistory = 64 * 1024 ** 2;

/**
 * A metric over the course of a training: from a history among its results (JSON with a list of objects that have it),
 * else from the lines of its log that name it. Empty where neither does.
 */
export function seriesOf(folder: string, metric: string): Series {
  for (const path of historyFiles(folder)) {
    const found = fromHistory(contentOf(join(folder, path)), metric);
    if (found.length > 1) return found;
  }
  return fromLog(logOf(folder), metric);
}

/** Files that may hold a history. Those on top come first: far below lie predictions, one for each sample. */
function historyFiles(folder: string): string[] {
  const depth = (path: string): number => path.split("/").length;
  return globSync("**/*.json", { cwd: folder })
    .filter((path) => basename(path) !== resultsFile)
    .sort()
    .sort((a, b) => depth(a) - depth(b))
    .slice(0, mostHistories);
}

function contentOf(file: string): unknown {
  try {
    return statSync(file).size > longestHistory ? undefined : parsePython(readFileSync(file, "utf8"));
  } catch {
    return undefined;
  }
}

/** Names by which histories and logs count. */
const counters = ["epoch", "step", "iteration", "iter", "batch"];

function fromHistory(content: unknown, metric: string): Series {
  const lists = Array.isArray(content)
    ? [content]
    : Object.values((content ?? {}) as object).filter((each): each is unknown[] => Array.isArray(each));
  for (const list of lists) {
    const points = list.flatMap((each, index): Series => {
      const entry = (each ?? {}) as Record<string, unknown>;
      const value = entry[metric];
      const count = counters.map((name) => entry[name]).find((found) => typeof found === "number");
      return typeof value === "number" && Number.isFinite(value)
        ? [[(count as number | undefined) ?? index + 1, value]]
        : [];
    });
    if (points.length > 1) return points;
  }
  return [];
}

/** Reads a metric out of a log, whatever its format: the number after the metric's name, beside the last count. */
function fromLog(log: Iterable<string>, metric: string): Series {
  const name = metric.replaceAll(/[^A-Za-z0-9]+/g, "[^A-Za-z0-9]?");
  const value = new RegExp(`(?<![A-Za-z0-9_])${name}[^0-9A-Za-z\\n+-]{0,4}([+-]?[0-9.]+(?:e[+-]?[0-9]+)?)`, "i");
  const points: Series = [];
  for (const line of log) {
    const number = Number(value.exec(line)?.[1] ?? Number.NaN);
    if (!Number.isFinite(number)) continue;
    points.push([countIn(line)?.at ?? (points.at(-1)?.[0] ?? 0) + 1, number]);
  }
  return points;
}

/** What a log says of how far a training came: `epoch 12`; null where it does not. */
export function lastProgress(folder: string): string | null {
  let found: ReturnType<typeof countIn>;
  for (const line of logOf(folder)) found = countIn(line) ?? found;
  return found === undefined ? null : `${found.of} ${found.at}`;
}

/** The first count in a line. */
function countIn(line: string): { readonly of: string; readonly at: number } | undefined {
  const match = /\b(epoch|step|iteration|iter|batch)[^0-9A-Za-z\n]{0,4}(\d+)/i.exec(line);
  return match === null ? undefined : { of: (match[1] ?? "").toLowerCase(), at: Number(match[2]) };
}

/** The lines of an experiment's log, none where it has no log. */
function logOf(folder: string): Iterable<string> {
  return readLines(join(folder, "run", "train.log"));
}
