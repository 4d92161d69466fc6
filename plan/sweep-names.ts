import type { Experiment } from "./experiment";
import { nearest, type Problem } from "./problems";
import { sweptNames } from "./sweep-definition";
import type { SweptPlace } from "./types";
import { layOver, overridesTree } from "./yaml/override";
import { withAt } from "./yaml/reading";
import { YamlText } from "./yaml/text";
import type { MapTree, Tree } from "./yaml/tree";

/** Placeholders that the stack fills itself. */
const reserved = ["config", "experiment", "checkpoint", "trial"];
/** Longest name of an experiment that leaves room for its trials' numbers, `-t9999`. */
const longestExperiment = 56;

/** Whether `{name}` stands in a text. `${name}` is a variable of the shell. */
function holds(text: string | undefined, name: string): boolean {
  return new RegExp(`(?<!\\$)\\{${name}\\}`).test(text ?? "");
}

/** Where a name's placeholder stands; `config` where it stands nowhere, and the name is a path in the config. */
function placeOf(name: string, { train, evaluate }: Experiment): SweptPlace {
  if ([train.command, train.resume, evaluate?.command].some((command) => holds(command, name))) return "command";
  return Object.values(train.variables).some((value) => holds(value, name)) ? "variable" : "config";
}

/** Where the values of each swept name go. */
export function sweptPlaces(experiment: Experiment): Readonly<Record<string, SweptPlace>> {
  const names = experiment.sweep === undefined ? [] : sweptNames(experiment.sweep);
  return Object.fromEntries(names.map((name) => [name, placeOf(name, experiment)]));
}

/** The swept names that are paths in the config. */
export function sweptPaths(experiment: Experiment): string[] {
  return Object.entries(sweptPlaces(experiment)).flatMap(([name, place]) => (place === "config" ? [name] : []));
}

/** What is wrong with a sweep's names, but for those that are paths in a config. */
export function nameProblems(experiment: Experiment): Problem[] {
  const { sweep, train, experiment: own } = experiment;
  if (sweep === undefined) return [];
  const problems: Problem[] = sweptNames(sweep)
    .filter((name) => reserved.includes(name))
    .map((name) => ({
      field: `sweep: ${name}`,
      value: `{${name}}`,
      message: "the stack fills this placeholder itself",
      next: "Give the swept value another name",
    }));
  if (own.length > longestExperiment) {
    const message = `a trial is named <experiment>-t<number>, so the experiment's name may have ${longestExperiment} letters`;
    problems.push({ field: "experiment", value: own, message, next: "Shorten it" });
  }
  if (train.config === null)
    problems.push(...sweptPaths(experiment).map((name) => nowhere(name, "train.config is null")));
  return problems;
}

function nowhere(name: string, why: string, next?: string): Problem {
  return {
    field: `sweep: ${name}`,
    value: name,
    message: `it stands nowhere: {${name}} is in no command and in no value of train.variables, and ${why}`,
    next: next ?? `Write {${name}} where the value belongs`,
  };
}

/** What stands in a config where the agent puts a trial's value (scripts/agent/sweep/values.py). */
export function markOf(name: string): string {
  return `lambda-train-sweep/${name}/value`;
}

/** The overrides of a config with a mark at each swept path. @param text The config; undefined where setup makes it. */
export function markedOverrides(experiment: Experiment, text: string | undefined, json: boolean): MapTree {
  const paths = sweptPaths(experiment);
  const overrides = overridesTree(experiment.train.overrides);
  if (paths.length === 0) return overrides;
  const file = text === undefined ? undefined : new YamlText(layOver(text, overrides, json), json);
  return paths.reduce<Tree>((tree, name) => {
    const mark: Tree = { kind: "scalar", text: markOf(name), plain: false };
    return withAt(tree, pathOf(name, file), mark);
  }, overrides) as MapTree;
}

/** A name's path in a config: a key with dots, if the config has one. */
function pathOf(name: string, file: YamlText | undefined): Tree[] {
  const whole: Tree[] = [{ kind: "scalar", text: name, plain: true }];
  if (file?.get(whole) !== undefined) return whole;
  return name.split(".").map((text): Tree => ({ kind: "scalar", text, plain: true }));
}

/** What is wrong with the swept names that are paths in a config. @throws YamlProblem where it can't be read */
export function pathProblems(experiment: Experiment, text: string, json: boolean): Problem[] {
  const { config, overrides } = experiment.train;
  const paths = sweptPaths(experiment);
  if (paths.length === 0) return [];
  const file = new YamlText(layOver(text, overridesTree(overrides), json), json);
  return paths.flatMap((name): Problem[] => {
    const old = file.get(pathOf(name, file));
    if (old === undefined) {
      const meant = nearest(name, pathsIn(file.get([])));
      return [nowhere(name, `${config} has no such key`, meant === undefined ? undefined : `Did you mean ${meant}?`)];
    }
    if (old.kind !== "map") return [];
    const message = `${config} has a map there, and a value would take the place of all that it holds`;
    return [{ field: `sweep: ${name}`, value: name, message, next: `Name a key in it, as ${name}.<key>` }];
  });
}

/** The paths of a config's values, dotted. */
function pathsIn(tree: Tree | undefined, prefix = ""): string[] {
  if (tree?.kind !== "map") return [prefix];
  return tree.entries.flatMap(([key, value]) =>
    key.kind === "scalar" ? pathsIn(value, prefix === "" ? key.text : `${prefix}.${key.text}`) : [],
  );
}
