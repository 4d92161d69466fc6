import type { Schema } from "../../emulator/openapi/schema";

/** The schema with every `$ref` replaced by what it names. */
export function inline(schema: Schema, named: Readonly<Record<string, Schema>>): Schema {
  if (schema.$ref) {
    const { $ref, ...rest } = schema;
    const target = named[$ref.replace("#/components/schemas/", "")];
    if (!target) throw new Error(`The API document names no schema ${$ref}.`);
    return { ...inline(target, named), ...rest };
  }
  return Object.fromEntries(
    Object.entries(schema).map(([key, value]) => {
      if (key === "properties") return [key, mapValues(value as Record<string, Schema>, (s) => inline(s, named))];
      if (key === "anyOf" || key === "oneOf") return [key, (value as Schema[]).map((s) => inline(s, named))];
      if ((key === "items" || key === "not" || key === "additionalProperties") && typeof value === "object")
        return [key, inline(value as Schema, named)];
      return [key, value];
    }),
  );
}

export const mapValues = <A, B>(record: Readonly<Record<string, A>>, change: (value: A) => B): Record<string, B> =>
  Object.fromEntries(Object.entries(record).map(([key, value]) => [key, change(value)]));
