/** The part of JSON Schema that the API document uses. */
export interface Schema {
  readonly $ref?: string;
  readonly type?: string;
  readonly description?: string;
  readonly deprecated?: boolean;
  readonly format?: string;
  readonly pattern?: string;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: Schema | boolean;
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
}

/** A reference to a named schema of the document. */
export const ref = (name: string): Schema => ({ $ref: `#/components/schemas/${name}` });

export const list = (items: Schema, limits: Pick<Schema, "minItems" | "maxItems" | "description"> = {}): Schema => ({
  type: "array",
  items,
  ...limits,
});

export const text = (limits: Omit<Schema, "type"> = {}): Schema => ({ type: "string", ...limits });

export const nullable = (schema: Schema): Schema => ({ anyOf: [schema, { type: "null" }] });

/** An object; properties whose name ends in `?` may be absent. Unknown ones are tolerated, as the API tolerates them. */
export function object(properties: Record<string, Schema>, description?: string): Schema {
  const entries = Object.entries(properties);
  return {
    type: "object",
    ...(description && { description }),
    properties: Object.fromEntries(entries.map(([name, schema]) => [name.replace(/\?$/, ""), schema])),
    required: entries.filter(([name]) => !name.endsWith("?")).map(([name]) => name),
  };
}
