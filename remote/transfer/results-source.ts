import type { RunStatus } from "../types";

const shownHash = 12;
const shownStands = 8;

/**
 * Where results come from, as their record tells it:
 * `<instance>:<experiment>@<beginning of the run's hash>.<beginning of the hash of code, data and environment>`. What ran
 * with other settings, or on other code, is another source, and never replaces what came home before.
 */
export function sourceOf(
  instanceId: string,
  { experiment, hash, stands, attempt }: Pick<RunStatus, "experiment" | "hash" | "stands" | "attempt">,
): { readonly source: string; readonly formerSource?: string } {
  const place = `${instanceId}:${experiment}`;
  if (hash === undefined) return { source: place };
  const source = `${place}@${hash.slice(0, shownHash)}${stands === undefined ? "" : `.${stands.slice(0, shownStands)}`}`;
  // Earlier releases told no configuration: theirs was surely this one only where the instance has never run another.
  return attempt === 1 && stands === undefined ? { source, formerSource: place } : { source };
}

/** What a record's source says. undefined where something else wrote it. */
export function parseSource(
  source: string,
): { readonly instance: string; readonly experiment: string; readonly hash?: string } | undefined {
  const [, instance, experiment, hash] = /^([^:]+):([^:@/]+)(?:@([0-9a-f]+)(?:\.[0-9a-f]+)?)?$/.exec(source) ?? [];
  return instance === undefined || experiment === undefined ? undefined : { instance, experiment, hash };
}
