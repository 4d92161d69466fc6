import type { Course } from "./course";
import type { Series } from "./series";

/**
 * The curve of a metric: by its own name, however that is written, or else as training's (`train_loss` where `loss` is
 * asked for). Undefined if there is none.
 */
export function curveNamed({ series }: Pick<Course, "series">, metric: string): Series | undefined {
  const wanted = plain(metric);
  return (
    series.find(({ name }) => name === metric) ??
    series.find(({ name }) => plain(name) === wanted) ??
    series.find(({ name }) => plain(name).replace(/^train(?:ing)?/, "") === wanted)
  );
}

function plain(name: string): string {
  return name.toLowerCase().replaceAll(/[^a-z0-9]+/g, "");
}
