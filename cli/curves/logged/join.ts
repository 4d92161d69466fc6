import { posix } from "node:path";
import { isOfEvaluation, isOfTraining } from "../names";
import { rising, type Series, thinned } from "../series";
import type { Curve, LoggedCurves } from "./points";
import { loggedFolder } from "./read";

/** What the files of one folder tell. */
interface Part {
  readonly folder: string;
  readonly curves: Map<string, [x: number, y: number][]>;
  began: number;
  ended: number;
}

/**
 * Curves of several files as one: where a training was restarted, the later file goes on from its first point. Folders that
 * were written at the same time are of several trainings, or of training and validation: their names tell them apart.
 * scripts/agent/curves/join.py does the same on the instance.
 * @param files By their paths.
 */
export function joined(files: ReadonlyMap<string, LoggedCurves>): Series[] {
  const inOrder = [...files].sort(([a, { began: x = 0 }], [b, { began: y = 0 }]) => x - y || (a < b ? -1 : 1));
  const parts = new Map<string, Part>();
  for (const [path, curves] of inOrder) {
    const folder = loggedFolder(path);
    const part = parts.get(folder) ?? { folder, curves: new Map(), began: Infinity, ended: -Infinity };
    parts.set(folder, part);
    takeInto(part, curves);
  }
  const ordered = [...parts.values()].sort((a, b) => a.began - b.began || (a.folder < b.folder ? -1 : 1));
  const names = new Set(ordered.flatMap(({ curves }) => [...curves.keys()]));
  return [...names].flatMap((name) => seriesOf(name, ordered));
}

function takeInto(part: Part, { series, began, ended, purged }: LoggedCurves): void {
  if (purged !== undefined) for (const points of part.curves.values()) cut(points, purged);
  for (const [name, curve] of series) {
    const known = part.curves.get(name) ?? [];
    part.curves.set(name, known);
    append(known, pointsOf(curve));
  }
  part.began = Math.min(part.began, began ?? Infinity);
  part.ended = Math.max(part.ended, ended ?? -Infinity);
}

function seriesOf(name: string, parts: readonly Part[]): Series[] {
  const holders = parts.flatMap((part) => {
    const points = part.curves.get(name) ?? [];
    return points.length === 0 ? [] : [{ part, points }];
  });
  const series = (as: string, points: [number, number][]): Series => ({
    name: as,
    axis: "step",
    source: "file",
    ...thinned(rising(points)),
  });
  if (areApart(holders.map(({ part }) => part))) {
    const root = commonRoot(holders.map(({ part: { folder } }) => folder));
    return holders.map(({ part, points }) => series(apart(posix.relative(root, part.folder), name), points));
  }
  const whole: [number, number][] = [];
  for (const { points } of holders) append(whole, points);
  return whole.length === 0 ? [] : [series(name, whole)];
}

function areApart(parts: readonly Part[]): boolean {
  const isSplit = (name: string): boolean => isOfTraining(name) || isOfEvaluation(name);
  return (
    parts.length > 1 &&
    (parts.some(({ folder }) => isSplit(posix.basename(folder))) ||
      parts.some(({ began }, at) => began < (parts[at - 1]?.ended ?? -Infinity)))
  );
}

/** The name with its folder's. Of `add_scalars("loss", {"val": …})` the folder is loss_val. */
function apart(folder: string, name: string): string {
  const begin = `${name.replaceAll("/", "_")}_`;
  const rest = folder.startsWith(begin) && folder.length > begin.length ? folder.slice(begin.length) : folder;
  return rest === "" ? name : `${rest}/${name}`;
}

function commonRoot(folders: readonly string[]): string {
  const [first = [], ...others] = folders.map((folder) => folder.split("/"));
  const differs = first.findIndex((part, at) => others.some((other) => other[at] !== part));
  return first.slice(0, differs < 0 ? first.length : differs).join("/");
}

function pointsOf({ xs, ys }: Curve): [number, number][] {
  return xs.flatMap((x, at): [number, number][] => {
    const y = ys[at];
    return y === undefined ? [] : [[x, y]];
  });
}

function append(known: [number, number][], more: readonly [number, number][]): void {
  const [first] = more;
  if (first === undefined) return;
  cut(known, first[0]);
  for (const point of more) known.push(point);
}

function cut(points: [number, number][], x: number): void {
  points.length = points.findLastIndex(([each]) => each < x) + 1;
}
