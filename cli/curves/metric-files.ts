import { mainNumbers } from "../../remote/metrics-at-home";
import { historyOf, isCounter, isOfExamples } from "./history";
import { isMeasure } from "./names";
import { further, type Place, type Series } from "./series";
import { isOfEvaluation, json, tablesOf } from "./tables";

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
  /** How far the tables go. */
  readonly place: Place;
}

const mostSeries = 40;

/** Files that may hold metrics. */
export const metricFile = /\.(?:json|jsonl|csv)$/i;

/**
 * Reads metric files, path → content. Histories of training become curves, evaluation results scores; the rest is nothing.
 * @param earlier Files whose scores are an earlier start's.
 */
export function metricsOf(files: Readonly<Record<string, string>>, earlier: readonly string[] = []): Metrics {
  const series = new Map<string, Series>();
  const evaluations: Record<string, unknown> = {};
  let place: Place = {};
  for (const path of Object.keys(files).sort()) {
    const text = files[path] ?? "";
    const isEvaluation = isOfEvaluation(path);
    if (isEvaluation && /\.json$/i.test(path) && !earlier.includes(path)) evaluations[path] = json(text);
    if (isOfExamples(path)) continue;
    for (const rows of tablesOf(path, text)) {
      const history = historyOf(rows, isEvaluation);
      if (history === undefined) continue;
      place = further(place, history.place);
      for (const found of history.series) {
        const known = series.get(found.name);
        if (known === undefined || found.xs.length > known.xs.length) series.set(found.name, found);
      }
    }
  }
  const scores = Object.entries(mainNumbers(evaluations)).map(([name, value]) => ({ name, value }));
  return {
    series: [...series.values()]
      .sort((a, b) => Number(isMeasure(b.name)) - Number(isMeasure(a.name)))
      .slice(0, mostSeries),
    scores: scores.filter(({ name }) => !isCounter(name)),
    place,
  };
}
