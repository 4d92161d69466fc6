import type { CST, Pair, YAMLMap } from "yaml";
import { endsInBlockScalar, type Item, isEmpty, isItem, itemEnd, keepsLineEnds, sourceEnd, tokenEnd } from "./tokens";
import type { Tree } from "./tree";
import { blockPair, inline, type Layout, pairText } from "./write";

/** A new text for a part of another: from `start` to `end` stands `text`. */
export interface Splice {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/** Puts the new parts into a text. */
export function spliced(text: string, splices: readonly Splice[]): string {
  return [...splices]
    .sort((a, b) => b.start - a.start || b.end - a.end)
    .reduce((rest, { start, end, text: part }) => rest.slice(0, start) + part + rest.slice(end), text);
}

/** The tokens of a map as it is written. */
export function mapToken(map: YAMLMap): CST.BlockMap | CST.FlowCollection {
  return map.srcToken as CST.BlockMap | CST.FlowCollection;
}

/** The value of a pair becomes another; a comment beside it stays. */
export function replaceValue(text: string, pair: Pair, value: Tree, inFlow: boolean, json: boolean): Splice[] {
  const written = inline(value, json ? "json" : inFlow ? "flow" : "block");
  const { key, sep = [], value: token } = itemOf(pair);
  const colon = sep.find(({ type }) => type === "map-value-ind");
  if (colon === undefined) {
    const end = key ? tokenEnd(key) : (pair.key as { range: [number, number, number] }).range[1];
    return [{ start: end, end, text: `: ${written}` }];
  }
  const begin = sourceEnd(colon);
  const props = sep.filter(({ type, offset }) => offset >= begin && (type === "anchor" || type === "tag"));
  const old = token && !isEmpty(token) ? token : undefined;
  const last = props.at(-1);
  const end = old !== undefined ? tokenEnd(old) : last !== undefined ? sourceEnd(last) : begin;
  const line = old === undefined ? -1 : text.slice(begin, startOf(old)).indexOf("\n");
  if (line < 0) {
    const start = props[0]?.offset ?? (old === undefined ? begin : startOf(old));
    const space = start === begin ? " " : "";
    const splice = { start, end, text: `${space}${written}${headerComment(old)}` };
    return [splice];
  }
  // The value begins on a later line, and the new one on the key's own, before a comment there.
  const lineEnd = begin + line - (text[begin + line - 1] === "\r" ? 1 : 0);
  const here = props.filter(({ offset }) => offset < lineEnd);
  const propsEnd = here.length === 0 ? begin : sourceEnd(here.at(-1) as CST.SourceToken);
  return [
    { start: begin, end: propsEnd, text: ` ${written}` },
    { start: lineEnd, end, text: "" },
  ];
}

/** A comment beside `|` would go with the text below it. */
function headerComment(token: CST.Token | undefined): string {
  if (token?.type !== "block-scalar") return "";
  const comment = token.props.find(({ type }) => type === "comment") as CST.SourceToken | undefined;
  return comment === undefined ? "" : ` ${comment.source}`;
}

function startOf(token: CST.Token): number {
  return token.type === "block-scalar"
    ? ((token.props[0] as CST.SourceToken | undefined)?.offset ?? token.offset)
    : token.offset;
}

function itemOf(pair: Pair): Item {
  return (pair as unknown as { srcToken: Item }).srcToken;
}

/** Ways to add a pair to a map, the best first: the next one is for where the first reads as something else. */
export function addPair(
  text: string,
  map: YAMLMap,
  pair: readonly [Tree, Tree],
  layout: Layout,
  json: boolean,
): Splice[] {
  const token = mapToken(map);
  if (token.type === "flow-collection") return [addToFlow(text, token, pairText(pair, json ? "json" : "flow"), layout)];
  const indent = " ".repeat(token.indent);
  const lines = blockPair(pair, { ...layout, indent });
  const kept = keepsLineEnds(token);
  const at = kept ?? lineEnd(text, tokenEnd(token));
  const added = text[at - 1] === "\n" ? `${indent}${lines}${layout.eol}` : `${layout.eol}${indent}${lines}`;
  const first = token.offset;
  const last = { start: at, end: at, text: added };
  const ahead = { start: first, end: first, text: `${lines}${layout.eol}${indent}` };
  // To PyYAML a line end after the last line of a block scalar would be part of its text.
  return at === text.length && !text.endsWith("\n") && endsInBlockScalar(token) ? [ahead] : [last, ahead];
}

function addToFlow(text: string, token: CST.FlowCollection, pair: string, { eol }: Layout): Splice {
  const items = token.items.filter(isItem);
  const last = items.at(-1);
  if (last === undefined) {
    const at = sourceEnd(token.start);
    return { start: at, end: at, text: pair };
  }
  const end = itemEnd(last) ?? sourceEnd(token.start);
  // A comma after the last item is kept as the start of one that is not there.
  const rest = token.items.slice(token.items.indexOf(last) + 1).flatMap(({ start }) => start);
  const comma = rest.find(({ type }) => type === "comma");
  const at = comma === undefined ? end : sourceEnd(comma);
  const keyAt = last.key?.offset ?? end;
  const lineStart = text.lastIndexOf("\n", keyAt - 1) + 1;
  const lead = text.slice(lineStart, keyAt);
  const ownLine = /^[ \t]*$/.test(lead) && lineStart > token.offset;
  return { start: at, end: at, text: `${comma === undefined ? "," : ""}${ownLine ? `${eol}${lead}` : " "}${pair}` };
}

/** A pair goes, with its lines or its comma. */
export function removePair(text: string, map: YAMLMap, pair: Pair): Splice {
  const token = mapToken(map);
  const item = itemOf(pair);
  const end = itemEnd(item) ?? token.offset;
  if (token.type === "block-map") {
    const start = text.lastIndexOf("\n", (item.key?.offset ?? end) - 1) + 1;
    const kept = item.value ? keepsLineEnds(item.value) : undefined;
    const line = kept ?? lineEnd(text, end);
    return { start, end: kept ?? Math.min(text.length, text.indexOf("\n", line) + 1 || text.length), text: "" };
  }
  const items = token.items.filter(isItem);
  const at = items.indexOf(item as (typeof items)[number]);
  const before = items[at - 1];
  const after = items[at + 1];
  if (before !== undefined) return { start: itemEnd(before) ?? end, end, text: "" };
  return { start: item.key?.offset ?? end, end: after === undefined ? end : (after.key?.offset ?? end), text: "" };
}

/** Where the line of this place ends, before its line end. */
function lineEnd(text: string, from: number): number {
  const at = text.indexOf("\n", from);
  if (at < 0) return text.length;
  return text[at - 1] === "\r" && at > from ? at - 1 : at;
}
