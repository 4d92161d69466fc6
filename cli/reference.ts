import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { projectFolder } from "../local/paths";
import { experimentSchema } from "../plan/experiment";
import { stackConfigSchema } from "../plan/stack-config";

/** A JSON schema as far as the reference reads it. */
interface Schema {
  readonly type?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly enum?: readonly unknown[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly anyOf?: readonly Schema[];
  readonly items?: Schema;
}

function jsonSchema(schema: z.ZodType): Schema & Record<string, unknown> {
  return z.toJSONSchema(schema, { io: "input", unrepresentable: "any" }) as Schema & Record<string, unknown>;
}

/** The experiment file's published JSON schema, which editors read. */
export function experimentJsonSchema(): string {
  return `${JSON.stringify({ title: "Experiment of lambda-train", ...jsonSchema(experimentSchema) }, null, 2)}\n`;
}

function typeOf(schema: Schema): string {
  if (schema.enum !== undefined) return schema.enum.map((value) => `\`${String(value)}\``).join(" or ");
  if (schema.anyOf !== undefined) {
    return [...new Set(schema.anyOf.map(typeOf))].filter((type) => type !== "null").join(" or ");
  }
  if (schema.type === "array") return `list of ${typeOf(schema.items ?? {})}s`;
  if (schema.type === "object" && schema.properties === undefined) return "map";
  return schema.type ?? "text";
}

function rows(schema: Schema, prefix: string): string[] {
  return Object.entries(schema.properties ?? {}).flatMap(([key, field]) => {
    const inner = field.properties === undefined ? field.anyOf?.find((one) => one.properties !== undefined) : field;
    if (inner !== undefined) return rows(inner, `${prefix}${key}.`);
    const required = schema.required?.includes(key) === true;
    const fallback =
      field.default === undefined ? (required ? "required" : "") : `\`${JSON.stringify(field.default)}\``;
    const cells = [`\`${prefix}${key}\``, typeOf(field), fallback, field.description ?? ""];
    return [`| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`];
  });
}

function table(schema: z.ZodType): string {
  return ["| key | type | default | meaning |", "|---|---|---|---|", ...rows(jsonSchema(schema), "")].join("\n");
}

/** Puts the generated tables between their marks in a Markdown text. */
export function withReference(markdown: string): string {
  const tables: Record<string, string> = { stack: table(stackConfigSchema), experiment: table(experimentSchema) };
  return Object.entries(tables).reduce((text, [name, content]) => {
    const marked = new RegExp(`(<!-- reference: ${name} -->\\n)[\\s\\S]*?(<!-- end -->)`);
    if (!marked.test(text)) throw new Error(`The text has no marks for the ${name} reference.`);
    return text.replace(marked, (_, start: string, end: string) => `${start}${content}\n${end}`);
  }, markdown);
}

/** `npm run reference`: writes the JSON schema and the README's tables anew. */
if (require.main === module) {
  const root = projectFolder();
  const readme = join(root, "README.md");
  writeFileSync(join(root, "configs", "experiment.schema.json"), experimentJsonSchema());
  writeFileSync(readme, withReference(readFileSync(readme, "utf8")));
}
