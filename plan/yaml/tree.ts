import { type Document, isAlias, isMap, isScalar, isSeq, type Node, type Scalar } from "yaml";

/** A piece of YAML as it is written: scalars keep their text, and aliases stand for what they refer to. */
export type Tree = ScalarTree | ListTree | MapTree;

/** A scalar. `plain`: written without quotes, so that its reader decides whether it is text, a number or something else. */
export interface ScalarTree {
  readonly kind: "scalar";
  readonly text: string;
  readonly plain: boolean;
  readonly tag?: string;
}

export interface ListTree {
  readonly kind: "list";
  readonly items: readonly Tree[];
  readonly tag?: string;
}

export interface MapTree {
  readonly kind: "map";
  readonly entries: readonly (readonly [Tree, Tree])[];
  readonly tag?: string;
}

/** What is written cannot be changed as asked. The message completes "<field> is <value>: …". */
export class YamlProblem extends Error {
  override readonly name = "YamlProblem";
  constructor(
    message: string,
    readonly next?: string,
  ) {
    super(message);
  }
}

/** An empty plain scalar: YAML's null. */
export const nothing: ScalarTree = { kind: "scalar", text: "", plain: true };

/** The tree of a node of this document. @throws YamlProblem where a node holds itself */
export function treeOf(node: unknown, document: Document, holders: readonly Node[] = []): Tree {
  if (isAlias(node)) {
    const target = node.resolve(document);
    if (target === undefined) throw new YamlProblem(`the alias *${node.source} has no anchor`);
    return treeOf(target, document, holders);
  }
  if (isScalar(node)) return scalarTree(node, document);
  if (!isMap(node) && !isSeq(node)) return nothing;
  if (holders.includes(node)) throw new YamlProblem(`the anchor &${node.anchor} holds an alias of itself`);
  const inside = (each: unknown): Tree => treeOf(each, document, [...holders, node]);
  const tag = tagOf(node, document);
  return isMap(node)
    ? { kind: "map", entries: node.items.map(({ key, value }) => [inside(key), inside(value)]), ...tag }
    : { kind: "list", items: node.items.map(inside), ...tag };
}

function scalarTree(node: Scalar, document: Document): ScalarTree {
  const plain = node.type === "PLAIN" || node.type === undefined;
  return { kind: "scalar", text: node.source ?? String(node.value ?? ""), plain, ...tagOf(node, document) };
}

function tagOf(node: Node & { tag?: string }, document: Document): { tag?: string } {
  if (node.tag === undefined) return {};
  return { tag: document.directives?.tagString(node.tag) ?? `!<${node.tag}>` };
}

/** The tree of a value of JavaScript: text stays text, whatever it looks like. */
export function treeOfValue(value: unknown): Tree {
  if (Array.isArray(value)) return { kind: "list", items: value.map(treeOfValue) };
  if (typeof value === "object" && value !== null) {
    const entries = Object.entries(value).map(([key, each]) => [treeOfValue(key), treeOfValue(each)] as const);
    return { kind: "map", entries };
  }
  if (typeof value === "string") return { kind: "scalar", text: value, plain: false };
  return { kind: "scalar", text: valueText(value), plain: true };
}

function valueText(value: unknown): string {
  if (value === null || value === undefined) return "";
  if (Object.is(value, -0)) return "-0.0";
  if (Number.isNaN(value)) return ".nan";
  return value === Infinity ? ".inf" : value === -Infinity ? "-.inf" : String(value);
}

/** Whether this is null, however it is written. */
export function isNothing(tree: Tree): boolean {
  return tree.kind === "scalar" && tree.plain && tree.tag === undefined && /^(~|null|Null|NULL|)$/.test(tree.text);
}

/** The entries of a map as Python reads them: `<<` gives those of other maps, and the last of several keys counts. */
export function entriesOf(map: MapTree): readonly (readonly [Tree, Tree])[] {
  const isMerge = ([key]: readonly [Tree, Tree]): boolean => key.kind === "scalar" && key.plain && key.text === "<<";
  const merged = map.entries.filter(isMerge).flatMap(([, value]) => mergedFrom(value));
  return [...merged, ...map.entries.filter((entry) => !isMerge(entry))];
}

function mergedFrom(value: Tree): readonly (readonly [Tree, Tree])[] {
  if (value.kind === "map") return entriesOf(value);
  return value.kind === "list" ? [...value.items].reverse().flatMap(mergedFrom) : [];
}
