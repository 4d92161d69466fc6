import type { CST } from "yaml";

/** An item of a map or list, as its tokens. */
export type Item = CST.CollectionItem;

type Source = CST.SourceToken;

/** Where a token's own text ends: without what follows it on its line, and without a block's last line end. */
export function tokenEnd(token: CST.Token): number {
  switch (token.type) {
    case "block-scalar": {
      const end = blockScalarEnd(token);
      const body = token.source.replace(/[\r\n\t ]+$/, "");
      return body === ""
        ? sourceEnd(lastOf(token.props as Source[], isContent) ?? token)
        : end - (token.source.length - body.length);
    }
    case "flow-collection":
      return sourceEnd(token.end.find(({ type }) => /^flow-(map|seq)-end$/.test(type)) ?? token.start);
    case "block-map":
    case "block-seq":
      return itemEnd((token.items as Item[]).filter(isItem).at(-1) ?? { start: [] }) ?? token.offset;
    default:
      return sourceEnd(token as Source);
  }
}

/** Where an item's last token ends; undefined for one without tokens. */
export function itemEnd({ start, key, sep, value }: Item): number | undefined {
  if (value && !isEmpty(value)) return tokenEnd(value);
  const separator = lastOf(sep ?? [], isContent);
  if (separator !== undefined) return sourceEnd(separator);
  if (key && !isEmpty(key)) return tokenEnd(key);
  const before = lastOf(start, isContent);
  return before === undefined ? undefined : sourceEnd(before);
}

/** Where the last scalar of a block ends if its text reaches to the end of the block, line ends and all (`|+`). */
export function keepsLineEnds(token: CST.Token): number | undefined {
  const last = lastValue(token);
  if (last?.type !== "block-scalar") return undefined;
  const header = (last.props as Source[]).find(({ type }) => type === "block-scalar-header");
  return header?.source.includes("+") ? blockScalarEnd(last) : undefined;
}

/** Whether the last value of a block is a block scalar. */
export function endsInBlockScalar(token: CST.Token): boolean {
  return lastValue(token)?.type === "block-scalar";
}

function lastValue(token: CST.Token): CST.Token | undefined {
  if (token.type !== "block-map" && token.type !== "block-seq") return token;
  const value = (token.items as Item[]).filter(isItem).at(-1)?.value;
  return value ? lastValue(value) : undefined;
}

/** Whether these tokens are an item: what follows the last one is kept as an item too. */
export function isItem(item: Item): boolean {
  return (
    (item.key ?? item.value) != null || item.sep !== undefined || item.start.some(({ type }) => type === "seq-item-ind")
  );
}

/** Whether there is nothing of this token in the text. */
export function isEmpty(token: CST.Token): boolean {
  return token.type === "scalar" && token.source === "";
}

/** Where this token ends. */
export function sourceEnd({ offset, source }: { readonly offset: number; readonly source?: string }): number {
  return offset + (source?.length ?? 0);
}

function blockScalarEnd(token: CST.BlockScalar): number {
  const last = token.props.at(-1) as Source | undefined;
  return (last === undefined ? token.offset : sourceEnd(last)) + token.source.length;
}

function isContent({ type }: Source): boolean {
  return !["space", "comment", "newline", "comma"].includes(type);
}

function lastOf(tokens: readonly Source[], wanted: (token: Source) => boolean): Source | undefined {
  return [...tokens].reverse().find(wanted);
}
