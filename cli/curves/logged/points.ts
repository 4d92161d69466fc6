import { isCounter, stepNames } from "../history";
import { isTold } from "../names";

/** One of these in a row counts its values. A batch is one of an epoch. */
const ownCounters = stepNames.filter((name) => name !== "batch");
/** Points of one curve; charts draw fewer. */
const mostPoints = 2000;
/** Curves of one file, of measures and of anything else. */
const mostCurves = 200;
const mostOthers = 60;
const longestName = 200;

/** A curve, point by point, in bounded memory. Where its counter goes back, as after a restart, it goes on from there. */
class Points {
  xs: number[] = [];
  ys: number[] = [];
  private every = 1;
  private count = 0;
  /** The newest point, where it is none of those that are kept. */
  private last: readonly [number, number] | undefined;

  add(x: number, y: number): void {
    const end = this.last?.[0] ?? this.xs.at(-1);
    if (end !== undefined && x <= end) this.purge(x);
    if (this.count % this.every === 0) {
      this.xs.push(x);
      this.ys.push(y);
      this.last = undefined;
    } else {
      this.last = [x, y];
    }
    this.count += 1;
    if (this.xs.length >= mostPoints) this.halve();
  }

  /** Forgets what is from there on. */
  purge(x: number): void {
    if (this.last !== undefined && this.last[0] >= x) this.last = undefined;
    const length = this.xs.findLastIndex((each) => each < x) + 1;
    if (length === this.xs.length) return;
    this.xs.length = this.ys.length = length;
    // The next one is kept.
    this.count = 0;
  }

  get told(): Curve {
    const { last } = this;
    return last === undefined ? { xs: this.xs, ys: this.ys } : { xs: [...this.xs, last[0]], ys: [...this.ys, last[1]] };
  }

  private halve(): void {
    this.last = [this.xs.at(-1) ?? 0, this.ys.at(-1) ?? 0];
    this.xs = this.xs.filter((_, at) => at % 2 === 0);
    this.ys = this.ys.filter((_, at) => at % 2 === 0);
    this.every *= 2;
  }
}

/** A curve's points in order. */
export interface Curve {
  readonly xs: readonly number[];
  readonly ys: readonly number[];
}

/** What one file of a logger tells. */
export interface LoggedCurves {
  /** By their names. */
  readonly series: ReadonlyMap<string, Curve>;
  /** Seconds since the epoch, where the file says that. */
  readonly began?: number;
  readonly ended?: number;
  /** From there on it was written again: in files before this one. */
  readonly purged?: number;
  readonly epoch?: number;
}

/** Takes what a file tells. scripts/agent/curves/points.py does the same on the instance. */
export class CurveCollector {
  private readonly points = new Map<string, Points>();
  private others = 0;
  private began: number | undefined;
  private ended: number | undefined;
  private purged: number | undefined;
  private epoch: number | undefined;
  /** Records that were passed over. */
  damaged = 0;

  add(name: string, x: number, y: number, at: number | undefined): void {
    let points = this.points.get(name);
    if (points === undefined) {
      if (!this.takes(name)) return;
      points = new Points();
      this.points.set(name, points);
    }
    points.add(x, y);
    if (at === undefined || !(at > 0 && at < 1e11)) return;
    this.began = Math.min(this.began ?? at, at);
    this.ended = Math.max(this.ended ?? at, at);
  }

  /** Takes numbers by their names. @param step Counts where none of these does. */
  addRow(row: ReadonlyMap<string, number>, step: number | undefined, at: number | undefined): void {
    const byLast = new Map([...row.keys()].map((name) => [lastPart(name), name]));
    const counted = (last: string): number | undefined => row.get(byLast.get(last) ?? "");
    const counter = ownCounters.map(counted).find((value) => value !== undefined && Number.isInteger(value));
    const x = counter ?? step;
    this.epoch = counted("epoch") ?? counted("epochs") ?? this.epoch;
    if (x === undefined || !Number.isInteger(x)) return;
    for (const [name, value] of row) if (!isCounter(name)) this.add(name, x, value, at);
  }

  /** What is from there on was written again. */
  purge(x: number): void {
    this.purged = Math.min(this.purged ?? x, x);
    for (const points of this.points.values()) points.purge(x);
  }

  get curves(): LoggedCurves {
    const { began, ended, purged, epoch } = this;
    const series = new Map([...this.points].map(([name, points]) => [name, points.told]));
    return { series, began, ended, purged, epoch };
  }

  private takes(name: string): boolean {
    if (name === "" || name.length > longestName || this.points.size >= mostCurves || /\p{C}/u.test(name)) return false;
    if (isTold(name)) return true;
    this.others += 1;
    return this.others <= mostOthers;
  }
}

function lastPart(name: string): string {
  return name.trim().toLowerCase().split("/").at(-1)?.replace(/^_+/, "") ?? "";
}
