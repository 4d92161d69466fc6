import { isDeepStrictEqual } from "node:util";
import {
  type Alias,
  type Document,
  isAlias,
  isMap,
  isScalar,
  type Node,
  type Pair,
  parseDocument,
  visit,
  type YAMLMap,
} from "yaml";
import { readingOf, sameKey, withAt } from "./reading";
import { addPair, mapToken, removePair, replaceValue, type Splice, spliced } from "./splices";
import { entriesOf, isNothing, type MapTree, type Tree, treeOf, YamlProblem } from "./tree";
import { blockPair, inline, pairText } from "./write";

const bom = "\ufeff";

/**
 * The text of a YAML or JSON file whose root is a map. A value that is set takes the place of the old one in the text;
 * every other character stays. What cannot be done so is refused.
 */
export class YamlText {
  private document: Document;
  private readonly mark: string;

  /** @throws YamlProblem for a text that is no single map */
  constructor(
    private body: string,
    private readonly json = false,
  ) {
    this.mark = body.startsWith(bom) ? bom : "";
    this.body = body.slice(this.mark.length);
    this.document = parsed(this.body);
    if (!isMap(this.document.contents) && !isNothing(this.tree)) {
      throw new YamlProblem("it holds no map of keys and values");
    }
  }

  /** The text as it is now. */
  get text(): string {
    return this.mark + this.body;
  }

  private get tree(): Tree {
    return treeOf(this.document.contents, this.document);
  }

  /** What stands at a path, through aliases and merges; undefined where nothing does. */
  get(path: readonly Tree[]): Tree | undefined {
    return path.reduce<Tree | undefined>(
      (tree, key) => (tree?.kind === "map" ? entryOf(tree, key)?.[1] : undefined),
      this.tree,
    );
  }

  /** Sets the value at a path; maps that are missing on the way are made. @throws YamlProblem */
  set(path: readonly Tree[], value: Tree): void {
    let known = path.length - 1;
    while (known > 0 && isMissing(this.get(path.slice(0, known)))) known -= 1;
    const whole = path
      .slice(known + 1)
      .reduceRight<Tree>((inner, key) => ({ kind: "map", entries: [[key, inner]] }), value);
    const target = path.slice(0, known + 1);
    const expected = readingOf(withAt(this.tree, target, whole), this.json);
    const key = target.at(-1) as Tree;
    const map = this.open(target);
    if (map === undefined) {
      this.take([this.rootSplice([key, whole])], expected);
      return;
    }
    const pair = pairOf(map, key, this.document);
    const inFlow = mapToken(map).type === "flow-collection";
    if (pair !== undefined) {
      this.take([replaceValue(this.body, pair, whole, inFlow, this.json)], expected);
      return;
    }
    this.take(
      addPair(this.body, map, [key, whole], this.layout(), this.json).map((each) => [each]),
      expected,
    );
  }

  /** Removes what stands at a path, if anything does. @throws YamlProblem */
  delete(path: readonly Tree[]): void {
    if (this.get(path) === undefined) return;
    const expected = readingOf(withAt(this.tree, path, undefined), this.json);
    const map = this.open(path);
    const pair = map && pairOf(map, path.at(-1) as Tree, this.document);
    if (map && pair) this.take([[removePair(this.body, map, pair)]], expected);
  }

  /** The map that holds the last key, made one that nothing else in the file refers to. undefined: the file is empty. */
  private open(path: readonly Tree[]): YAMLMap | undefined {
    for (;;) {
      const change = this.ofItsOwn(path);
      if (change === undefined) break;
      this.accept(spliced(this.body, [change]));
    }
    let map: unknown = this.document.contents;
    for (const key of path.slice(0, -1)) map = isMap(map) ? pairOf(map, key, this.document)?.value : undefined;
    return isMap(map) ? map : undefined;
  }

  /** The next change that makes what lies on a path stand there itself; undefined where it does. */
  private ofItsOwn(path: readonly Tree[]): Splice | undefined {
    const { document } = this;
    let node: unknown = document.contents;
    const touched = new Set<unknown>([node]);
    for (const [at, key] of path.entries()) {
      if (!isMap(node)) break;
      const pair = pairOf(node, key, document);
      const last = at === path.length - 1;
      if (pair === undefined) {
        const merged = last ? undefined : this.get(path.slice(0, at + 1));
        if (merged === undefined) break;
        return addPair(this.body, node, [key, merged], this.layout(), this.json)[0];
      }
      if (isAlias(pair.value) && !last) return this.copyFor(pair.value);
      node = pair.value;
      touched.add(node);
    }
    const inside = new Set<unknown>();
    if (touched.size > path.length && !isAlias(node)) {
      visit(node as Node, (_, each) => void inside.add(each));
    }
    let found: Alias | undefined;
    visit(document, {
      Alias: (_, alias) => {
        const target = alias.resolve(document);
        if (inside.has(alias) || !(touched.has(target) || inside.has(target))) return undefined;
        found = alias;
        return visit.BREAK;
      },
    });
    return found === undefined ? undefined : this.copyFor(found);
  }

  /** What an alias refers to, in its place. */
  private copyFor(alias: Alias): Splice {
    const { offset, source } = alias.srcToken as { offset: number; source: string };
    const text = inline(treeOf(alias, this.document), this.json ? "json" : "flow");
    return { start: offset, end: offset + source.length, text };
  }

  private rootSplice(pair: readonly [Tree, Tree]): Splice[] {
    const { contents } = this.document;
    const layout = this.layout();
    const line = this.json ? `{${pairText(pair, "json")}}` : blockPair(pair, layout);
    if (isScalar(contents) && contents.source !== "" && contents.range) {
      return [{ start: contents.range[0], end: contents.range[1], text: line }];
    }
    const marker = /^---.*(?:\r?\n|$)/m.exec(this.body);
    const at = marker === null ? this.body.length : marker.index + marker[0].length;
    const begin = at === 0 || this.body[at - 1] === "\n" ? "" : layout.eol;
    return [{ start: at, end: at, text: `${begin}${line}${layout.eol}` }];
  }

  private layout(): { indent: string; step: string; eol: string } {
    let step = 2;
    visit(this.document, {
      Map: (_, map, holders) => {
        const token = mapToken(map);
        const outer = [...holders].reverse().find(isMap);
        if (token.type !== "block-map" || outer === undefined || mapToken(outer).type !== "block-map") return undefined;
        step = Math.max(1, token.indent - mapToken(outer).indent);
        return visit.BREAK;
      },
    });
    return { indent: "", step: " ".repeat(step), eol: this.body.includes("\r\n") ? "\r\n" : "\n" };
  }

  /** Takes the first way that leaves the file reading as it should. */
  private take(ways: readonly (readonly Splice[])[], expected: unknown): void {
    for (const way of ways) {
      const body = spliced(this.body, way);
      try {
        const document = parsed(body);
        if (!isDeepStrictEqual(readingOf(treeOf(document.contents, document), this.json), expected)) continue;
      } catch (error) {
        if (error instanceof YamlProblem) continue;
        throw error;
      }
      this.accept(body);
      return;
    }
    throw new YamlProblem(
      "it can't be written without a change to something else in the file",
      "Change the file itself, in the workload",
    );
  }

  private accept(body: string): void {
    this.body = body;
    this.document = parsed(body);
  }
}

function parsed(text: string): Document {
  // Only what is written counts: what a scalar is, is for the file's own reader to say.
  const options = { schema: "failsafe", resolveKnownTags: false, keepSourceTokens: true, uniqueKeys: false } as const;
  const document = parseDocument(text, { ...options, prettyErrors: true });
  const [error] = document.errors;
  if (error?.code === "MULTIPLE_DOCS") throw new YamlProblem("it holds several YAML documents");
  if (error !== undefined) throw new YamlProblem(error.message.split("\n")[0] ?? "it is no YAML");
  return document;
}

/** The pair of a map that counts for a key: the last one. */
function pairOf(map: YAMLMap, key: Tree, document: Document): Pair | undefined {
  const keys = map.items.map((pair) => treeOf(pair.key, document));
  const at = sameKey(keys, key);
  return at < 0 ? undefined : map.items[at];
}

function entryOf(map: MapTree, key: Tree): readonly [Tree, Tree] | undefined {
  const entries = entriesOf(map);
  return entries[
    sameKey(
      entries.map(([each]) => each),
      key,
    )
  ];
}

function isMissing(tree: Tree | undefined): boolean {
  return tree === undefined || isNothing(tree);
}
