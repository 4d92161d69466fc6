import { looksTyped } from "./scalars";
import { entriesOf, isNothing, type ScalarTree, type Tree, YamlProblem } from "./tree";

/** What a reader gets of a text, as far as it can be told without knowing the reader: comparable with `value`. */
export class Reading {
  constructor(
    readonly value: unknown,
    private readonly keys: readonly Tree[] = [],
    private readonly inner: readonly Reading[] = [],
    private readonly tag?: string,
  ) {}

  /** The same with another value at a path, or none. @throws YamlProblem where the path leads through no map */
  with(path: readonly Tree[], value: Reading | undefined): Reading {
    const [key, ...rest] = path;
    if (key === undefined) return value ?? this;
    if (!(this.value instanceof Map)) throw new YamlProblem("the path leads through something that is no map");
    const at = sameKey(this.keys, key);
    const next = rest.length === 0 ? value : (this.inner[at] ?? mapReading([], [])).with(rest, value);
    const keep = <T>(all: readonly T[]): T[] => all.filter((_, index) => index !== at);
    return mapReading(
      [...keep(this.keys), ...(next === undefined ? [] : [this.keys[at] ?? key])],
      [...keep(this.inner), ...(next === undefined ? [] : [next])],
      this.tag,
    );
  }
}

function mapReading(keys: readonly Tree[], inner: readonly Reading[], tag?: string): Reading {
  const value = new Map<string, unknown>(keys.map((key, at) => [keyOf(key), inner[at]?.value]));
  value.set("!", tag);
  return new Reading(value, keys, inner, tag);
}

/** What is read of a tree. */
export function readingOf(tree: Tree, json: boolean, root = true): Reading {
  if (root && isNothing(tree)) return mapReading([], []);
  if (tree.kind === "scalar") return new Reading(json ? [tree.plain, tree.text] : scalarOf(tree));
  const tag = json ? undefined : tree.tag;
  if (tree.kind === "list") return new Reading([tag, ...tree.items.map((item) => readingOf(item, json, false).value)]);
  const last = new Map(entriesOf(tree).map(([key, value]) => [keyOf(key), [key, value] as const]));
  const entries = [...last.values()];
  return mapReading(
    entries.map(([key]) => key),
    entries.map(([, value]) => readingOf(value, json, false)),
    tag,
  );
}

function scalarOf(scalar: ScalarTree): unknown {
  const { text, plain, tag } = scalar;
  if (isNothing(scalar)) return ["plain", "null"];
  return [tag ?? (plain && looksTyped(text) ? "plain" : "text"), text];
}

function keyOf(key: Tree): string {
  return JSON.stringify(key.kind === "scalar" ? scalarOf(key) : key);
}

/** The place of the last of these keys that is the one meant, or -1. */
export function sameKey(keys: readonly Tree[], meant: Tree): number {
  const exact = keys.findLastIndex((key) => keyOf(key) === keyOf(meant));
  if (exact >= 0 || meant.kind !== "scalar") return exact;
  return keys.findLastIndex((key) => key.kind === "scalar" && key.text === meant.text);
}
