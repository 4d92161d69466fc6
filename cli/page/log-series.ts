import { type Series, thinned } from "./series";

const place = /\b(?:global[_ ]?)?(?:step|iter(?:ation)?)s?[\s:=[#]*(\d+)/i;
const measure = /(?<![\w.])((?:[a-z]+[_/])*loss)[\s:=]+(-?\d+(?:\.\d+)?(?:e[-+]?\d+)?)/gi;
const mostKept = 20_000;

/** Losses as the log tells them, line by line: finer than a metrics file that is written once an epoch. */
export class LogSeries {
  private readonly points = new Map<string, [number, number][]>();

  /** @returns whether the line told something. */
  push(line: string): boolean {
    const step = place.exec(line)?.[1];
    if (step === undefined) return false;
    let told = false;
    for (const [, name = "", value] of line.matchAll(measure)) {
      told = true;
      const points = this.points.get(name) ?? [];
      this.points.set(name, points);
      const x = Number(step);
      // A run that went on from a checkpoint does some steps again: the later ones count.
      while ((points.at(-1)?.[0] ?? -1) >= x) points.pop();
      points.push([x, Number(value)]);
      if (points.length > mostKept) points.shift();
    }
    return told;
  }

  get series(): Series[] {
    return [...this.points].map(([name, points]) => ({ name, axis: "step", source: "log", ...thinned(points) }));
  }
}
