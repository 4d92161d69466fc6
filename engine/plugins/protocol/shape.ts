import { isObject, isSecret, type Properties, plain, secret, UNKNOWN } from "./values";

/** What a property holds. A nested shape describes an object with named properties of its own. */
export type Kind = "string" | "number" | "integer" | "boolean" | "stringMap" | "array" | Shape;

/** One input property of a resource type, as the published schema has it. */
export interface InputSpec {
  readonly kind: Kind;
  readonly required?: boolean;
  /** A change of this input replaces the resource. */
  readonly replace?: boolean;
  readonly secret?: boolean;
  readonly default?: unknown;
  readonly oneOf?: readonly string[];
  readonly minimum?: number;
  /** Known to the published plugin, not served here: why, and what to do instead. */
  readonly refused?: string;
}

export type Shape = { readonly [name: string]: InputSpec };

export interface Failure {
  readonly property: string;
  readonly reason: string;
}

export interface Checked {
  readonly inputs: Properties;
  readonly failures: Failure[];
}

/** Checks inputs against a shape and fills in defaults; secrets and unknowns stay what they are. */
export function checkInputs(shape: Shape, news: Properties, at = ""): Checked {
  const failures: Failure[] = [];
  const inputs: Properties = {};
  for (const [name, value] of Object.entries(news)) {
    // Names with two underscores in front are the engine's and the bridge's own marks.
    if (name.startsWith("__") || value === null || value === undefined) continue;
    const spec = shape[name];
    if (!spec) {
      failures.push({ property: at + name, reason: `unknown property; known are ${Object.keys(shape).join(", ")}` });
      continue;
    }
    if (spec.refused) {
      failures.push({ property: at + name, reason: spec.refused });
      continue;
    }
    const checked = checkValue(spec, value, at + name);
    failures.push(...checked.failures);
    inputs[name] = spec.secret ? secret(checked.value) : checked.value;
  }
  for (const [name, spec] of Object.entries(shape)) {
    if (name in inputs) continue;
    if (spec.default !== undefined) inputs[name] = spec.default;
    else if (spec.required && !failures.some((failure) => failure.property === at + name))
      failures.push({ property: at + name, reason: "missing required property" });
  }
  return { inputs, failures };
}

function checkValue(spec: InputSpec, value: unknown, at: string): { value: unknown; failures: Failure[] } {
  if (isSecret(value)) {
    const inner = checkValue(spec, (value as Properties).value, at);
    return { value: secret(inner.value), failures: inner.failures };
  }
  if (value === UNKNOWN) return { value, failures: [] };
  if (typeof spec.kind === "object") {
    if (!isObject(value)) return { value, failures: [{ property: at, reason: "must be an object" }] };
    const nested = checkInputs(spec.kind, value, `${at}.`);
    return { value: nested.inputs, failures: nested.failures };
  }
  const reason = mismatch(spec, spec.kind, value);
  return { value, failures: reason ? [{ property: at, reason }] : [] };
}

function mismatch(spec: InputSpec, kind: Exclude<Kind, Shape>, raw: unknown): string | undefined {
  const value = plain(raw);
  const text = (item: unknown) => typeof item === "string";
  switch (kind) {
    case "string":
      if (!text(value)) return `must be a string, not ${typeof value}`;
      if (spec.oneOf && !spec.oneOf.includes(value as string))
        return `must be one of ${spec.oneOf.join(", ")}, not ${JSON.stringify(value)}`;
      return undefined;
    case "number":
    case "integer":
      if (typeof value !== "number") return `must be a number, not ${typeof value}`;
      if (kind === "integer" && !Number.isInteger(value)) return `must be a whole number, not ${value}`;
      if (spec.minimum !== undefined && value < spec.minimum) return `must be at least ${spec.minimum}, not ${value}`;
      return undefined;
    case "boolean":
      return typeof value === "boolean" ? undefined : `must be true or false, not ${typeof value}`;
    case "stringMap":
      return isObject(value) && Object.values(value).every(text) ? undefined : "must be a map of strings";
    case "array":
      return Array.isArray(value) ? undefined : "must be a list";
  }
}
