import { isDeepStrictEqual } from "node:util";
import type { Diff } from "./handler";
import { hasUnknown } from "./unknown";

/** Which inputs matter, and how. */
export interface DiffRules<Name extends string> {
  /** A change needs another resource. */
  readonly replace: readonly Name[];
  /** A change is made, or just recorded, in place. */
  readonly update?: readonly Name[];
  /** Default true: never two of them at a time. */
  readonly deleteBeforeReplace?: boolean;
}

/**
 * Compares last outputs with new inputs by name. Names not listed are ignored, so that the provider's text and
 * volatile outputs never count. A value that is not known yet counts as changed.
 */
export function diffByName<Name extends string>(olds: object, news: object, rules: DiffRules<Name>): Diff {
  const changed = (name: Name): boolean => !sameValue(member(olds, name), member(news, name));
  const replaces = rules.replace.filter(changed);
  return {
    changes: replaces.length > 0 || (rules.update ?? []).some(changed),
    replaces,
    deleteBeforeReplace: rules.deleteBeforeReplace ?? true,
  };
}

/** Equality of plain data: absent equals undefined and null; a value that is not known yet equals nothing. */
export function sameValue(a: unknown, b: unknown): boolean {
  return !hasUnknown(b) && isDeepStrictEqual(normal(a), normal(b));
}

function member(object: object, name: string): unknown {
  return (object as Readonly<Record<string, unknown>>)[name];
}

/** The value as JSON carries it, without undefined and null members. */
function normal(value: unknown): unknown {
  if (value === null || value === undefined) return undefined;
  if (Array.isArray(value)) return value.map(normal);
  if (typeof value === "object") {
    const members = Object.entries(value).filter(([, each]) => each !== null && each !== undefined);
    return Object.fromEntries(members.map(([key, each]) => [key, normal(each)]));
  }
  return value;
}
