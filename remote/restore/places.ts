import { posix } from "node:path";
import { isSafePath, isUnder } from "../../local/folder/manifest";
import { isOwnName, namedBelow, outputsAtHome, pathAtHome, topOf } from "../transfer/names";
import type { RunRecord } from "../transfer/run-record";
import { ownLogs } from "../written";

/** Where a run writes, as its plan tells. */
export interface Writes {
  readonly experiment: string;
  /** Relative to the workspace. */
  readonly outputs: string;
}

/** Where its outputs lay, and what lay beside them, relative to the workspace. */
export interface OutputPlaces {
  readonly outputs: string;
  readonly beside: readonly string[];
}

/** The places that a record tells, as far as they are below the outputs folder: nothing else of a workspace is put back. */
export function placesOf({ places }: RunRecord, { experiment, outputs }: Writes): OutputPlaces {
  const isOutput = (path: string): boolean => isSafePath(path) && isUnder(path, [posix.normalize(outputs)]);
  const own = places !== undefined && isOutput(places.outputs) ? places.outputs : posix.join(outputs, experiment);
  return { outputs: own, beside: places?.beside.filter(isOutput) ?? [] };
}

/**
 * Tells where a file of downloaded results lay: `workspace/<path>`, `home/<path>`, or `run/<log>`. undefined: it has no place
 * on another instance, as what a run wrote to another disk, or the outputs of attempts before the last.
 */
export function placeFinder(places: OutputPlaces, writes: Writes): (path: string) => string | undefined {
  const below = outputsAtHome(`/${places.outputs}`, writes);
  const beside = Object.entries(namedBelow("beside", places.beside));
  return (path) => {
    if (ownLogs.includes(path)) return path;
    const top = topOf(path);
    if (top === "beside") return besidePlace(path, beside);
    if (isOwnName(top) && !top.endsWith(".workload")) return undefined;
    const plain = isOwnName(top) ? `${top.slice(0, -".workload".length)}${path.slice(top.length)}` : path;
    if (below === undefined) return posix.join("workspace", places.outputs, plain);
    const prefix = `${pathAtHome(below)}/`;
    return path.startsWith(prefix) ? posix.join("workspace", places.outputs, path.slice(prefix.length)) : undefined;
  };
}

/** What lay beside the outputs, or elsewhere in the workspace or in the home folder. */
function besidePlace(path: string, beside: readonly (readonly [at: string, path: string])[]): string | undefined {
  for (const [at, place] of beside) {
    if (isUnder(path, [at])) return posix.join("workspace", place, path.slice(at.length));
  }
  const [, first = "", ...rest] = path.split("/");
  const kind = first === "home" ? "home" : "workspace";
  const own = first === "home" || first === "workspace" ? rest : [first, ...rest];
  // Hidden files are settings of tools.
  return first === "disk" || own.some((part) => part.startsWith(".")) ? undefined : posix.join(kind, ...own);
}
