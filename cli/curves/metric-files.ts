import { mainNumbers } from "../../remote/metrics-at-home";
import { historyOf, isCounter, isOfExamples } from "./history";
import { joined } from "./logged/join";
import type { LoggedCurves } from "./logged/points";
import { isLogged } from "./logged/read";
import { toldCurves } from "./logged/told";
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
 * @param logged What files of loggers tell, by path. Default: what the instance says of them in their place.
 */
export function metricsOf(
  files: Readonly<Record<string, string>>,
  earlier: readonly string[] = [],
  logged: ReadonlyMap<string, LoggedCurves> = toldIn(files),
): Metrics {
  const series = new Map<string, Series>();
  const evaluations: Record<string, unknown> = {};
  let place: Place = {};
  for (const path of Object.keys(files).sort()) {
    const text = files[path] ?? "";
    const isEvaluation = isOfEvaluation(path);
    if (isEvaluation && !isLogged(path) && /\.json$/i.test(path) && !earlier.includes(path))
      evaluations[path] = json(text);
    if (isOfExamples(path) || isLogged(path)) continue;
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
  for (const found of joined(logged)) {
    place = further(place, { step: found.xs.at(-1) });
    const known = series.get(found.name);
    if (known === undefined || found.xs.length > known.xs.length) series.set(found.name, found);
  }
  for (const { epoch } of logged.values()) if (Number.isFinite(epoch)) place = further(place, { epoch });
  const scores = Object.entries(mainNumbers(evaluations)).map(([name, value]) => ({ name, value }));
  return {
    series: [...series.values()]
      .sort((a, b) => Number(isMeasure(b.name)) - Number(isMeasure(a.name)))
      .slice(0, mostSeries),
    scores: scores.filter(({ name }) => !isCounter(name)),
    place,
  };
}

function toldIn(files: Readonly<Record<string, string>>): Map<string, LoggedCurves> {
  return new Map(
    Object.entries(files).flatMap(([path, text]): [string, LoggedCurves][] => {
      const told = isLogged(path) ? toldCurves(text) : undefined;
      return told === undefined ? [] : [[path, told]];
    }),
  );
}
