import type { LogCurves } from "./log-curves";
import { type Metrics, metricsOf, type Score } from "./metric-files";
import { further, type Place, type Progress, type Series } from "./series";

/** What metric files and log together tell of a training: the page, `status` and `experiments` show this. */
export interface Course {
  readonly series: readonly Series[];
  readonly scores: readonly Score[];
  readonly progress: Progress | null;
}

/** Reads both. A curve that is in a file is taken from there, unless the log has it finer. */
export function courseOf(metrics: Metrics, log: ReturnType<LogCurves["look"]>): Course {
  const logged = log.series.filter((curve) => {
    const filed = metrics.series.find(({ name }) => name === curve.name);
    return filed === undefined || (filed.axis === curve.axis && curve.xs.length > filed.xs.length);
  });
  const names = new Set(logged.map(({ name }) => name));
  const series = [...metrics.series.filter(({ name }) => !names.has(name)), ...logged];
  return { series, scores: metrics.scores, progress: progressOf(series, further(metrics.place, log.place)) };
}

/** No metric files. */
export const noMetrics: Metrics = metricsOf({});

function progressOf(series: readonly Series[], place: Place): Progress | null {
  if (series.length === 0 && place.step === undefined && place.epoch === undefined) return null;
  const axis = place.step !== undefined || series.some((each) => each.axis === "step") ? "step" : "epoch";
  const ends = series.filter((each) => each.axis === axis).map(({ xs }) => xs.at(-1) ?? 0);
  const values = Object.fromEntries(series.map(({ name, ys }) => [name, ys.at(-1) ?? 0]));
  return { axis, at: place[axis] ?? Math.max(...ends), ...place, values };
}
