import type { Reading } from "./counts";
import { LineReader } from "./line";
import { isDrawn } from "./names";
import { type Place, rising, type Series, thinned } from "./series";
import { TextLines } from "./text-lines";

/** A value, and where training was. */
interface Point {
  readonly step: number;
  readonly epoch: number;
  /** Of the epoch. */
  readonly batch: number;
  readonly of: number;
  readonly value: number;
}

/** Points of a curve that are kept: of more every second one. */
const mostKept = 20_000;
const mostCurves = 40;

/** Curves as a log tells them, from its bytes as they come. */
export class LogCurves {
  private readonly lines = new TextLines();
  private readonly reader: LineReader;
  private readonly wanted: ReadonlySet<string>;
  private readonly points = new Map<string, Point[]>();
  private last: Omit<Point, "value"> = { step: Number.NaN, epoch: Number.NaN, batch: Number.NaN, of: Number.NaN };
  /** Counts the readings, where nothing else does. */
  private order = 0;
  /** Steps begin again with each epoch. */
  private isByEpoch = false;
  private isCounted = false;

  /** @param wanted Names besides those that are always drawn. */
  constructor(wanted: readonly string[] = []) {
    this.reader = new LineReader(wanted);
    this.wanted = new Set(wanted);
  }

  push(chunk: Buffer): void {
    for (const line of this.lines.push(chunk)) this.take(this.reader.read(line));
  }

  /** Nothing more will come, or for now: what the log shows last counts too. */
  look({ ended = false } = {}): { readonly series: Series[]; readonly place: Place } {
    // A bar's newest state has no end: it is read again with it, and counts once.
    const { order } = this;
    this.take(this.reader.read(this.lines.open, !ended));
    this.order = order;
    return { series: this.series, place: this.place };
  }

  private get place(): Place {
    const { step, epoch } = this.last;
    return {
      ...(Number.isNaN(step) || this.isByEpoch ? {} : { step }),
      ...(Number.isNaN(epoch) ? {} : { epoch }),
    };
  }

  private take(reading: Reading | undefined): void {
    if (reading === undefined) return;
    this.advance(reading);
    this.order++;
    for (const [name, value] of reading.values) {
      if (isDrawn(name) || this.wanted.has(name)) this.add(name, value);
    }
  }

  private advance({ step, epoch, batch }: Reading): void {
    const { last } = this;
    if (step !== undefined || epoch !== undefined || batch !== undefined) this.isCounted = true;
    if (step !== undefined && epoch !== undefined && step <= last.step && Math.floor(epoch) > Math.floor(last.epoch))
      this.isByEpoch = true;
    const isNewEpoch = epoch !== undefined && epoch !== last.epoch;
    this.last = {
      step: step ?? last.step,
      epoch: epoch ?? last.epoch,
      batch: batch?.at ?? (isNewEpoch ? Number.NaN : last.batch),
      of: batch?.of ?? last.of,
    };
  }

  private add(name: string, value: number): void {
    let points = this.points.get(name);
    if (points === undefined) {
      if (this.points.size >= mostCurves) return;
      points = [];
      this.points.set(name, points);
    }
    const point = { ...this.last, step: this.isCounted ? this.last.step : this.order, value };
    // A run that went on from a checkpoint does some steps again: the later ones count.
    while (points.length > 0 && !isBefore(points.at(-1) as Point, point)) points.pop();
    points.push(point);
    if (points.length > mostKept)
      this.points.set(
        name,
        points.filter((_, at) => at % 2 === 0 || at === mostKept),
      );
  }

  private get series(): Series[] {
    const all = [...this.points];
    const hasSteps = all.some(([, points]) => points.some(({ step }) => !Number.isNaN(step)));
    const axis = hasSteps && !this.isByEpoch ? "step" : "epoch";
    const longest = all.flatMap(([, points]) => points.map(inEpoch)).reduce((most, at) => (at > most ? at : most), 0);
    const x = (point: Point): number => {
      if (axis === "step") return point.step;
      const whole = Number.isNaN(point.epoch) ? 0 : point.epoch;
      const at = inEpoch(point);
      return Number.isNaN(at) ? whole : whole + at / (Number.isNaN(point.of) ? longest + 1 : Math.max(point.of, at, 1));
    };
    return all.map(([name, points]) => {
      const drawn = points.map((point): [number, number] => [x(point), point.value]);
      return { name, axis, source: "log", ...thinned(rising(drawn)) };
    });
  }
}

/** Where in its epoch a point is; NaN if nothing says so. */
function inEpoch({ batch, step, epoch }: Point): number {
  if (!Number.isNaN(batch)) return batch;
  return Number.isInteger(epoch) ? step : Number.NaN;
}

function isBefore(a: Point, b: Point): boolean {
  // Of counts that begin again with each epoch the epoch decides.
  if (Number.isInteger(a.epoch) && Number.isInteger(b.epoch) && a.epoch !== b.epoch) return a.epoch < b.epoch;
  if (!Number.isNaN(a.step) && !Number.isNaN(b.step) && a.step !== b.step) return a.step < b.step;
  if (!Number.isNaN(a.epoch) && !Number.isNaN(b.epoch) && a.epoch !== b.epoch) return a.epoch < b.epoch;
  return a.batch < b.batch;
}
