import { jsonScalar, portable } from "./scalars";
import { YamlText } from "./text";
import { entriesOf, isNothing, type MapTree, type Tree, treeOfValue, YamlProblem } from "./tree";
import { inline } from "./write";

/** A key and its value as an experiment file has them written. */
export class Written {
  constructor(
    readonly key: Tree,
    readonly value: Tree,
  ) {}

  /** As messages show it. */
  toJSON(): unknown {
    return shown(this.value);
  }
}

function shown(tree: Tree): unknown {
  if (tree.kind === "scalar") return tree.text;
  if (tree.kind === "list") return tree.items.map(shown);
  return Object.fromEntries(tree.entries.map(([key, value]) => [String(shown(key)), shown(value)]));
}

/** Something that overrides cannot do. `path` is below them. */
export class OverrideProblem extends YamlProblem {
  constructor(
    readonly path: string,
    readonly value: unknown,
    message: string,
    next?: string,
  ) {
    super(message, next);
  }
}

/** Overrides as an experiment file gives them, as plain data. */
export function overridesTree(overrides: Readonly<Record<string, unknown>>): MapTree {
  const entries = Object.entries(overrides).map(([key, value]): readonly [Tree, Tree] =>
    value instanceof Written ? [value.key, value.value] : [treeOfValue(key), treeOfValue(value)],
  );
  return { kind: "map", entries };
}

/** A tree as one line of JSON, with numbers as they are written where JSON has them so. */
export function jsonText(tree: Tree): string {
  return inline(forFile(tree, true), "json");
}

/**
 * Lays overrides over the text of a config: maps merge, everything else is replaced, and all that no override names
 * keeps its text.
 * @throws YamlProblem for a text that is no map; OverrideProblem for an override that cannot be laid over it.
 */
export function layOver(text: string, overrides: MapTree, json: boolean): string {
  const file = new YamlText(text, json);
  const laid = forFile(overrides, json) as MapTree;
  layMap(file, [], entriesOf(laid));
  return file.text;
}

function layMap(file: YamlText, path: readonly Tree[], entries: readonly (readonly [Tree, Tree])[]): void {
  for (const [key, value] of entries) {
    const here = [...path, key];
    const old = file.get(here);
    if (old === undefined) refuseDots(file, path, key, value);
    const merges = value.kind === "map" && value.tag === undefined;
    if (merges && value.entries.length > 0 && old !== undefined && !isNothing(old)) {
      if (old.kind !== "map") {
        const what = old.kind === "list" ? "a list" : JSON.stringify(shown(old));
        throw new OverrideProblem(
          nameOf(here),
          shown(value),
          `the config has ${what} there, and a map can't be laid over that`,
          "Give a value, or change the config in the workload",
        );
      }
      layMap(file, here, entriesOf(value));
    } else if (!(merges && value.entries.length === 0 && old?.kind === "map")) {
      set(file, here, value);
    }
  }
}

function set(file: YamlText, path: readonly Tree[], value: Tree): void {
  try {
    file.set(path, value);
  } catch (error) {
    if (!(error instanceof YamlProblem)) throw error;
    throw new OverrideProblem(nameOf(path), shown(value), error.message, error.next);
  }
}

/** `trainer.max_epochs` as one key would add a key that no training reads, where a path is meant. */
function refuseDots(file: YamlText, path: readonly Tree[], key: Tree, value: Tree): void {
  if (key.kind !== "scalar" || !key.text.includes(".")) return;
  const parts = key.text.split(".").map((text): Tree => ({ kind: "scalar", text, plain: true }));
  if (file.get([...path, ...parts]) === undefined) return;
  const nested = `${parts.map(nameOfOne).join(": {")}: …${"}".repeat(parts.length - 1)}`;
  throw new OverrideProblem(
    nameOf([...path, key]),
    shown(value),
    "the config has no key of that name, but the keys one inside the other",
    `Write ${nested}`,
  );
}

function nameOf(path: readonly Tree[]): string {
  return path.map(nameOfOne).join(".");
}

function nameOfOne(key: Tree): string {
  return String(key.kind === "scalar" ? key.text : JSON.stringify(shown(key)));
}

/** A tree as the config's language has it. */
function forFile(tree: Tree, json: boolean, isKey = false): Tree {
  if (tree.kind === "scalar") {
    if (!json) return isKey ? tree : portable(tree);
    return isKey ? { kind: "scalar", text: tree.text, plain: false } : jsonScalar(tree);
  }
  const tag = json || tree.tag === undefined ? {} : { tag: tree.tag };
  if (tree.kind === "list") return { kind: "list", items: tree.items.map((item) => forFile(item, json)), ...tag };
  const entries = json ? lastOfEach(tree) : tree.entries;
  return {
    kind: "map",
    entries: entries.map(([key, value]) => [forFile(key, json, true), forFile(value, json)] as const),
    ...tag,
  };
}

/** JSON knows neither merges nor keys that are no text. */
function lastOfEach(map: MapTree): readonly (readonly [Tree, Tree])[] {
  return [...new Map(entriesOf(map).map((entry) => [nameOfOne(entry[0]), entry])).values()];
}
