import { posix } from "node:path";
import { resultsFile } from "./results-file";

/** What the stack itself puts at the top of downloaded results, and what for. */
const ownNames: ReadonlyMap<string, string> = new Map([
  [resultsFile, "manifest.json is the record of the download"],
  ["run", "run/ holds the stack's logs"],
  ["beside", "beside/ holds what was written beside the outputs folder"],
  ["earlier", "earlier/ holds the outputs of earlier attempts"],
]);

const suffix = ".workload";
const suffixes = /(\.workload)+$/;

/**
 * True for a name at the top of the results that the stack keeps for itself: one of its own, or one of these that was
 * moved out of the way. Upper and lower case are one, as they are to some disks.
 */
export function isOwnName(name: string): boolean {
  return ownNames.has(name.toLowerCase().replace(suffixes, ""));
}

/** The first part of a path. */
export function topOf(path: string): string {
  const cut = path.indexOf("/");
  return cut === -1 ? path : path.slice(0, cut);
}

/**
 * Where a file of the workload's own results folder lies at home: `run/x` becomes `run.workload/x`, so that nothing of the
 * workload ever meets what is the stack's. No two paths become the same.
 */
export function pathAtHome(path: string): string {
  const top = topOf(path);
  return isOwnName(top) ? `${top}${suffix}${path.slice(top.length)}` : path;
}

/** The target of a link in the workload's own results folder, as it leads to the same file at home. */
export function linkAtHome(path: string, link: string): string {
  let depth = path.split("/").length - 1;
  const parts = link.split("/").map((part) => {
    if (part === "" || part === ".") return part;
    if (part === "..") {
      depth--;
      return part;
    }
    return depth++ === 0 ? pathAtHome(part) : part;
  });
  return parts.join("/");
}

/** Says of a name at the top that it is another one at home, and why. */
export function movedText(name: string): string {
  const why = ownNames.get(name.toLowerCase().replace(suffixes, ""));
  return `The workload's own ${JSON.stringify(name)} is downloaded as ${JSON.stringify(pathAtHome(name))}: ${why}`;
}

/**
 * The folder that holds a run's outputs at home; undefined where they lie in its results themselves: a folder that is
 * named after the experiment, or all outputs. Any other name, such as a date, tells something and is kept.
 * @param path Absolute path of the run's output folder on the instance.
 */
export function outputsAtHome(
  path: string | undefined,
  { experiment, outputs }: { readonly experiment: string; readonly outputs: string },
): string | undefined {
  if (path === undefined || path.endsWith(`/${posix.normalize(outputs)}`)) return undefined;
  const name = posix.basename(path);
  return name.includes(experiment) ? undefined : name;
}

/** Gives each path a name of its own below a folder: its last part, with a number where an earlier one has that already. */
export function namedBelow(folder: string, paths: readonly string[] = []): Record<string, string> {
  const plain = new Set(paths.map((path) => posix.basename(path)));
  const taken = new Set<string>();
  return Object.fromEntries(
    paths.map((path) => {
      const base = posix.basename(path);
      let name = base;
      for (let number = 2; taken.has(name) || (name !== base && plain.has(name)); number++) name = `${base}-${number}`;
      taken.add(name);
      return [`${folder}/${name}`, path];
    }),
  );
}
