import { nearest, type Problem } from "./problems";
import type { Sweep } from "./sweep";
import type { SweepDefinition, SweepRange } from "./types";
import { jsonText, Written } from "./yaml/override";

/** More trials than these are a mistake, or several sweeps. */
const mostTrials = 10_000;

/** Optuna's names of what `prune` may set, by pruner. */
const pruneOptions = {
  median: {
    startupTrials: "n_startup_trials",
    warmupSteps: "n_warmup_steps",
    intervalSteps: "interval_steps",
    minTrials: "n_min_trials",
  },
  hyperband: {
    minResource: "min_resource",
    maxResource: "max_resource",
    reductionFactor: "reduction_factor",
    bootstrapCount: "bootstrap_count",
  },
} as const;

/** The names that a sweep gives values, each once. */
export function sweptNames({ grid, list, search }: Sweep): string[] {
  return [...new Set([grid ?? {}, search ?? {}, ...(list ?? [])].flatMap((each) => Object.keys(each)))];
}

/** What the study is told of a sweep, and what is wrong with its values. */
export function definitionOf(sweep: Sweep): { definition: SweepDefinition; problems: Problem[] } {
  const { grid, list, search, sampler, trials, seed, metric, direction, retries } = sweep;
  const problems: Problem[] = [];
  const points = grid === undefined ? list?.map(pointOf) : combinations(grid, problems);
  problems.push(...twice(points ?? [], grid === undefined ? "sweep.list" : "sweep.grid"), ...unequal(list ?? []));
  const definition = {
    ...(points !== undefined && { points }),
    ...(search !== undefined && { space: mapped(search, rangeOf), sampler, trials }),
    seed,
    metric,
    direction,
    prune: pruneOf(sweep.prune, problems),
    retries,
    leaseSeconds: 120,
  };
  return { definition, problems };
}

/** A value as JSON text: JavaScript's numbers don't tell `1.0` from `1`, and training does. */
export function valueText(value: unknown): string {
  return value instanceof Written ? jsonText(value.value) : JSON.stringify(value);
}

function pointOf(values: Readonly<Record<string, unknown>>): Record<string, string> {
  return mapped(values, valueText);
}

function mapped<T, U>(record: Readonly<Record<string, T>>, of: (value: T) => U): Record<string, U> {
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [name, of(value)]));
}

function combinations(
  grid: Readonly<Record<string, readonly unknown[]>>,
  problems: Problem[],
): Record<string, string>[] {
  const count = Object.values(grid).reduce((product, { length }) => product * length, 1);
  if (count > mostTrials) {
    const message = `it has ${count} combinations, and a sweep may have ${mostTrials} trials`;
    problems.push({ field: "sweep.grid", value: mapped(grid, ({ length }) => `${length} values`), message });
    return [];
  }
  return Object.entries(grid).reduce<Record<string, string>[]>(
    (all, [name, values]) => all.flatMap((each) => values.map((value) => ({ ...each, [name]: valueText(value) }))),
    [{}],
  );
}

function twice(points: readonly Readonly<Record<string, string>>[], field: string): Problem[] {
  const seen = new Set<string>();
  for (const point of points) {
    const key = JSON.stringify(
      Object.entries(point)
        .sort()
        .map(([name, text]) => [name, sameNumber(text)]),
    );
    if (seen.has(key)) return [{ field, value: point, message: "these values stand there twice", next: "Remove one" }];
    seen.add(key);
  }
  return [];
}

/** A text that is the same for the same number: to the study, `1.0` and `1` are one value. */
function sameNumber(text: string): string {
  return /^-?[0-9]/.test(text) ? String(Number(text)) : text;
}

/** Trials of a list that lack a name which others give: what would stand there isn't said. */
function unequal(list: readonly Readonly<Record<string, unknown>>[]): Problem[] {
  const names = [...new Set(list.flatMap((each) => Object.keys(each)))];
  return list.flatMap((each, at) => {
    const missing = names.filter((name) => !Object.hasOwn(each, name));
    if (missing.length === 0) return [];
    const message = `it gives no value for ${missing.join(", ")}, which other trials of the list do`;
    return [
      { field: `sweep.list.${at}`, value: each, message, next: "Give each trial of the list a value for each name" },
    ];
  });
}

function rangeOf({ choices, ...range }: NonNullable<Sweep["search"]>[string]): SweepRange {
  return choices === undefined ? range : { choices: choices.map(valueText) };
}

function pruneOf(prune: Sweep["prune"], problems: Problem[]): SweepDefinition["prune"] {
  if (prune === null) return null;
  const { by, ...given } = typeof prune === "string" ? { by: prune } : prune;
  const names: Readonly<Record<string, string>> = pruneOptions[by];
  const options: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(given)) {
    const own = names[name];
    if (own !== undefined) options[own] = value;
    else {
      const known = Object.keys(names);
      const meant = nearest(name, known);
      const next = meant === undefined ? undefined : `Did you mean ${meant}?`;
      problems.push({ field: `sweep.prune.${name}`, value, message: `${by} knows ${known.join(", ")}`, next });
    }
  }
  return { kind: by, options };
}
