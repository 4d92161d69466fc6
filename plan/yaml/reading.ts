import { looksTyped } from "./scalars";
import { entriesOf, isNothing, type MapTree, nothing, type ScalarTree, type Tree, YamlProblem } from "./tree";

/** A tree with another value at a path, or none. @throws YamlProblem where the path leads through no map */
export function withAt(tree: Tree, path: readonly Tree[], value: Tree | undefined): Tree {
  const [key, ...rest] = path;
  if (key === undefined) return tree;
  const map: Tree = isNothing(tree) ? { kind: "map", entries: [] } : tree;
  if (map.kind !== "map") throw new YamlProblem("the path leads through something that is no map");
  const entries = lastOfEach(map);
  const at = sameKey(
    entries.map(([each]) => each),
    key,
  );
  const next = rest.length === 0 ? value : withAt(entries[at]?.[1] ?? nothing, rest, value);
  const others = entries.filter((_, index) => index !== at);
  return { ...map, entries: next === undefined ? others : [...others, [entries[at]?.[0] ?? key, next]] };
}

/** What a reader gets of a tree, as far as it can be told without knowing the reader: comparable. */
export function readingOf(tree: Tree, json: boolean, root = true): unknown {
  if (root && isNothing(tree)) return new Map([["!", undefined]]);
  if (tree.kind === "scalar") return json ? [tree.plain, tree.text] : scalarOf(tree);
  const tag = json ? undefined : tree.tag;
  if (tree.kind === "list") return [tag, ...tree.items.map((item) => readingOf(item, json, false))];
  const entries = lastOfEach(tree).map(([key, value]) => [keyOf(key), readingOf(value, json, false)] as const);
  return new Map<string, unknown>([...entries, ["!", tag]]);
}

/** The entries of a map, of equal keys the last. */
function lastOfEach(map: MapTree): (readonly [Tree, Tree])[] {
  return [...new Map(entriesOf(map).map((entry) => [keyOf(entry[0]), entry])).values()];
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
