import { type Place, scalarText } from "./scalars";
import type { Tree } from "./tree";

/** What is written, on one line. */
export function inline(tree: Tree, place: Place): string {
  if (tree.kind === "scalar") return scalarText(tree, place);
  const inner = place === "json" ? "json" : "flow";
  const tagged = tree.tag === undefined || place === "json" ? "" : `${tree.tag} `;
  if (tree.kind === "list") return `${tagged}[${tree.items.map((item) => inline(item, inner)).join(", ")}]`;
  const entries = tree.entries.map((entry) => pairText(entry, inner));
  return `${tagged}{${entries.join(", ")}}`;
}

/** A key and its value on one line. */
export function pairText([key, value]: readonly [Tree, Tree], place: Place): string {
  return `${keyText(key, place)}: ${inline(value, place)}`;
}

function keyText(key: Tree, place: Place): string {
  if (place === "json") return JSON.stringify(key.kind === "scalar" ? key.text : inline(key, "json"));
  if (key.kind !== "scalar") return `? ${inline(key, "flow")} `;
  // A key that is null or a number stays as it is written.
  return key.plain && key.tag === undefined && key.text !== "" ? plainKey(key.text, place) : scalarText(key, place);
}

function plainKey(text: string, place: Place): string {
  return place === "flow" && /[,[\]{}]/.test(text) ? JSON.stringify(text) : text;
}

/** How the lines of a block are written. */
export interface Layout {
  readonly indent: string;
  readonly step: string;
  readonly eol: string;
}

/** A key and its value as lines of a block, without the first line's indentation and the last line's end. */
export function blockPair([key, value]: readonly [Tree, Tree], layout: Layout): string {
  if (value.kind !== "map" || value.tag !== undefined || value.entries.length === 0) {
    return pairText([key, value], "block");
  }
  const inner = { ...layout, indent: layout.indent + layout.step };
  const lines = value.entries.map((entry) => `${inner.indent}${blockPair(entry, inner)}`);
  return [`${keyText(key, "block")}:`, ...lines].join(layout.eol);
}
