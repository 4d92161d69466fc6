/** Values of one metric over the course of training. `xs` rises. */
export interface Series {
  /** As the workload names it: `valid_loss`. */
  readonly name: string;
  /** What `xs` counts. */
  readonly axis: "step" | "epoch";
  /** Where it was read: a file of the outputs, or the log. */
  readonly source: "file" | "log";
  readonly xs: readonly number[];
  /** NaN and infinities among them, where training said so. */
  readonly ys: readonly number[];
}

/** How far training is: the newest counts and values that its metric files and its log tell. */
export interface Progress {
  readonly axis: "step" | "epoch";
  /** By that axis. */
  readonly at: number;
  readonly step?: number;
  readonly epoch?: number;
  /** By the workload's own names. */
  readonly values: Readonly<Record<string, number>>;
}

/** What is known of the place where training is. */
export type Place = Pick<Progress, "step" | "epoch">;

/** More points than a chart has pixels cost without showing. */
const mostPoints = 1500;

/** At most as many points as a chart can show, the first and the last among them. */
export function thinned(points: readonly (readonly [number, number])[]): { xs: number[]; ys: number[] } {
  const every = Math.ceil(points.length / mostPoints);
  const kept = points.filter((_, at) => at % every === 0 || at === points.length - 1);
  return { xs: kept.map(([x]) => x), ys: kept.map(([, y]) => y) };
}

/** Points in order, of those at one place the last: a run that went on from a checkpoint has some twice. */
export function rising(points: readonly [number, number][]): [number, number][] {
  return [...new Map(points)].filter(([x]) => Number.isFinite(x)).sort(([a], [b]) => a - b);
}

/** The place that is further. */
export function further(a: Place, b: Place): Place {
  const most = (x: number | undefined, y: number | undefined): number | undefined =>
    x === undefined || (y !== undefined && y > x) ? y : x;
  const [step, epoch] = [most(a.step, b.step), most(a.epoch, b.epoch)];
  return { ...(step === undefined ? {} : { step }), ...(epoch === undefined ? {} : { epoch }) };
}
