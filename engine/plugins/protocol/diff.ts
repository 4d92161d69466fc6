import type { Shape } from "./shape";
import { hasSecret, isObject, isSecret, type Properties, sameValue } from "./values";

export type ChangeKind = "add" | "delete" | "update";

/** One changed input. `path` is a property path such as `triggers[0]` or `environment.LANG`. */
export interface Change {
  readonly path: string;
  readonly kind: ChangeKind;
  readonly replace: boolean;
}

/**
 * Compares the inputs kept in the old outputs with the new inputs, input by input. Ignored names keep their old
 * value. It reports nested changes by path, but secrets as a whole.
 */
export function diffInputs(shape: Shape, olds: Properties, news: Properties, ignored: readonly string[]): Change[] {
  const changes: Change[] = [];
  for (const [name, spec] of Object.entries(shape)) {
    if (ignored.includes(name)) continue;
    const found = compare(name, olds[name] ?? undefined, news[name] ?? undefined);
    changes.push(...found.map((change) => ({ ...change, replace: spec.replace === true })));
  }
  return changes;
}

function compare(path: string, old: unknown, now: unknown): Omit<Change, "replace">[] {
  if (old === undefined) return now === undefined ? [] : [{ path, kind: "add" }];
  if (now === undefined) return [{ path, kind: "delete" }];
  if (sameValue(old, now)) return [];
  if (isSecret(old) || isSecret(now) || hasSecret(old) !== hasSecret(now)) return [{ path, kind: "update" }];
  if (Array.isArray(old) && Array.isArray(now)) {
    const length = Math.max(old.length, now.length);
    return Array.from({ length }, (_, i) => compare(`${path}[${i}]`, old[i], now[i])).flat();
  }
  if (isObject(old) && isObject(now)) {
    const keys = [...new Set([...Object.keys(old), ...Object.keys(now)])];
    return keys.flatMap((key) => compare(`${path}${step(key)}`, old[key], now[key]));
  }
  return [{ path, kind: "update" }];
}

function step(key: string): string {
  return /^[A-Za-z_$][\w$]*$/.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`;
}
