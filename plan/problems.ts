import type { z } from "zod";
import { editDistance } from "./closest";

/** One mistake in the configuration, described so that the reader can fix it without looking anything up. */
export interface Problem {
  /** Where the value stands: `lambda-train:regions`, or `configs/hmer-ink.yaml: train.waitFor`. */
  readonly field: string;
  /** The value given, as written; absent where nothing was given. */
  readonly value?: unknown;
  /** What is wrong, and what is allowed. */
  readonly message: string;
  /** What to do next. */
  readonly next?: string;
}

/** The configuration cannot be used. Carries every problem found, not only the first. */
export class PlanError extends Error {
  override readonly name = "PlanError";
  constructor(readonly problems: readonly Problem[]) {
    super(describe(problems));
  }
}

function describe(problems: readonly Problem[]): string {
  const count = problems.length === 1 ? "1 problem" : `${problems.length} problems`;
  const lines = problems.map(({ field, value, message, next }) => {
    const given = value === undefined ? "is not set" : `is ${show(value)}`;
    return `  - ${field} ${given}: ${message}${next === undefined ? "" : `. ${next}`}`;
  });
  return `The configuration has ${count}. Nothing was launched.\n${lines.join("\n")}`;
}

function show(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 80 ? `${text.slice(0, 77)}…` : text;
}

/** Reads the value at a path of an object; undefined where there is none. */
function valueAt(input: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>((value, key) => (value as Record<PropertyKey, unknown> | undefined)?.[key], input);
}

/** The word of a list that a mistyped word most likely meant, or undefined where none is near. */
export function nearest(word: string, known: readonly string[]): string | undefined {
  const ranked = known
    .map((candidate) => ({ candidate, edits: editDistance(word.toLowerCase(), candidate.toLowerCase()) }))
    .sort((a, b) => a.edits - b.edits);
  const best = ranked[0];
  return best !== undefined && best.edits <= Math.max(2, word.length / 3) ? best.candidate : undefined;
}

function keysOf(schema: z.ZodType, path: readonly PropertyKey[]): string[] {
  let current: unknown = schema;
  for (const key of path) current = unwrap((unwrap(current) as { shape?: Record<PropertyKey, unknown> })?.shape?.[key]);
  return Object.keys((unwrap(current) as { shape?: object } | undefined)?.shape ?? {});
}

function unwrap(schema: unknown): unknown {
  const inner = (schema as { def?: { innerType?: unknown } } | undefined)?.def?.innerType;
  return inner === undefined ? schema : unwrap(inner);
}

/**
 * Turns what zod found into problems.
 * @param prefix Put before every field: `lambda-train:` or `configs/x.yaml: `.
 */
export function problemsOf(error: z.ZodError, schema: z.ZodType, input: unknown, prefix: string): Problem[] {
  return error.issues.flatMap((issue) => {
    const at = (path: readonly PropertyKey[]): string => `${prefix}${path.map(String).join(".")}`;
    if (issue.code === "unrecognized_keys") {
      const known = keysOf(schema, issue.path);
      return issue.keys.map((key) => {
        const meant = nearest(key, known);
        return {
          field: at([...issue.path, key]),
          value: valueAt(input, [...issue.path, key]),
          message: `there is no such field; known are ${known.join(", ")}`,
          next: meant === undefined ? "Remove it" : `Did you mean ${meant}?`,
        };
      });
    }
    return [{ field: at(issue.path), value: valueAt(input, issue.path), message: issue.message }];
  });
}
