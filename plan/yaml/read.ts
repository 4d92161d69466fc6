import { type Alias, type Document, isAlias, isMap, isScalar, isSeq } from "yaml";
import { Written } from "./override";
import { nothing, treeOf, YamlProblem } from "./tree";

/** What of a zod schema tells how a value is to be read. */
interface Shape {
  readonly def?: {
    readonly type?: string;
    readonly innerType?: Shape;
    readonly in?: Shape;
    readonly element?: Shape;
    readonly valueType?: Shape;
    readonly options?: readonly Shape[];
  };
  readonly shape?: Readonly<Record<string, Shape>>;
}

/**
 * The value of a document for a schema. Where the schema wants text, a plain scalar is its text as written: `1.10` of a
 * ref or a variable is no number. Values that the schema leaves open come as written, each as a `Written`.
 */
export function readAs(document: Document, schema: object): unknown {
  return read(document.contents, schema as Shape, document);
}

function read(given: unknown, schema: Shape | undefined, document: Document): unknown {
  const node = isAlias(given) ? targetOf(given, document) : given;
  const wanted = unwrap(schema);
  if (isMap(node) && (wanted?.shape !== undefined || wanted?.def?.type === "record")) {
    const of = (key: string): Shape | undefined => wanted.shape?.[key] ?? wanted.def?.valueType;
    return Object.fromEntries(
      node.items.map(({ key, value }) => {
        const name = keyText(key, document);
        const open = unwrap(wanted.def?.valueType)?.def?.type === "unknown";
        const written = () => new Written(treeOf(key, document), treeOf(value, document));
        return [name, open ? written() : read(value, of(name), document)];
      }),
    );
  }
  if (isSeq(node) && wanted?.def?.type === "array") {
    const open = unwrap(wanted.def.element)?.def?.type === "unknown";
    return node.items.map((item) =>
      open ? new Written(nothing, treeOf(item, document)) : read(item, wanted.def?.element, document),
    );
  }
  if (isScalar(node)) {
    const { value, source } = node;
    return value !== null && typeof value !== "string" && wantsText(wanted) ? (source ?? String(value)) : value;
  }
  return node === undefined || node === null ? null : (node as { toJS(document: Document): unknown }).toJS(document);
}

function targetOf(alias: Alias, document: Document): unknown {
  const target = alias.resolve(document);
  if (target === undefined) throw new YamlProblem(`the alias *${alias.source} has no anchor`);
  return target;
}

function keyText(key: unknown, document: Document): string {
  const node = isAlias(key) ? targetOf(key, document) : key;
  return isScalar(node) ? (node.source ?? String(node.value)) : String(node);
}

function wantsText(schema: Shape | undefined): boolean {
  const type = schema?.def?.type;
  return type === "string" || type === "enum" || (schema?.def?.options?.map(unwrap).some(wantsText) ?? false);
}

function unwrap(schema: Shape | undefined): Shape | undefined {
  const inner = schema?.def?.innerType ?? schema?.def?.in;
  return inner === undefined ? schema : unwrap(inner);
}
