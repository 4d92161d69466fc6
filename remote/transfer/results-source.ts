import type { RunStatus } from "../types";

const shownHash = 12;

/**
 * Where results come from, as their record tells it: `<instance>:<experiment>@<beginning of the run's hash>`. Another
 * configuration is another source, and never replaces what the one before has brought home.
 */
export function sourceOf(
  instanceId: string,
  { experiment, hash, attempt }: Pick<RunStatus, "experiment" | "hash" | "attempt">,
): { readonly source: string; readonly formerSource?: string } {
  const place = `${instanceId}:${experiment}`;
  if (hash === undefined) return { source: place };
  const source = `${place}@${hash.slice(0, shownHash)}`;
  // Earlier releases told no configuration: theirs was surely this one only where the instance has never run another.
  return attempt === 1 ? { source, formerSource: place } : { source };
}

/** What a record's source says. undefined where something else wrote it. */
export function parseSource(
  source: string,
): { readonly instance: string; readonly experiment: string; readonly hash?: string } | undefined {
  const [, instance, experiment, hash] = /^([^:]+):([^:@/]+)(?:@([0-9a-f]+))?$/.exec(source) ?? [];
  return instance === undefined || experiment === undefined ? undefined : { instance, experiment, hash };
}
