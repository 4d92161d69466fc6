import { satisfies, validRange } from "semver";
import { z } from "zod";
import { parseJson } from "../json";
import { type Advisory, advisoriesIn } from "./formats";

/** A package of a lock file. */
export interface LockedPackage {
  readonly name: string;
  readonly version: string;
  /** Whether development alone needs it. */
  readonly dev: boolean;
}

/** A locked package with a known weakness. */
export interface Finding {
  readonly locked: LockedPackage;
  readonly advisory: Advisory;
}

const lockSchema = z.object({
  packages: z.record(
    z.string(),
    z.object({
      name: z.string().optional(),
      version: z.string().optional(),
      dev: z.boolean().optional(),
      devOptional: z.boolean().optional(),
    }),
  ),
});

/** The packages of a package-lock.json, each version of each once. @throws Error where it is no such file */
export function lockedPackages(text: string): LockedPackage[] {
  const read = lockSchema.safeParse(parseJson(text));
  if (!read.success) throw new Error("it is no package-lock.json of npm 7 or later");
  const { packages } = read.data;
  const found = new Map<string, LockedPackage>();
  for (const [path, { name = path.split("node_modules/").pop() ?? "", version, dev, devOptional }] of Object.entries(
    packages,
  )) {
    if (path === "" || version === undefined) continue;
    const key = `${name} ${version}`;
    const isDev = dev === true || devOptional === true;
    found.set(key, { name, version, dev: isDev && found.get(key)?.dev !== false });
  }
  return [...found.values()];
}

/**
 * The advisories of a file: one, a list, `{vulns: […]}`, or JSON lines.
 * @throws Error that tells which entry is in neither format, or has a range that nobody can read
 */
export function readAdvisories(text: string): Advisory[] {
  const whole = parseJson(text);
  const lines = (): unknown[] => text.split("\n").flatMap((line) => (line.trim() === "" ? [] : [parseJson(line)]));
  const entries = whole === undefined ? lines() : listed(whole);
  const advisories = entries.flatMap((entry, i) => {
    const found = advisoriesIn(entry);
    if (found === undefined) throw new Error(`entry ${i + 1} is no advisory of OSV's or GitHub's format`);
    return found;
  });
  if (entries.length === 0) throw new Error("it holds no advisory");
  for (const { id, ranges } of advisories) {
    const wrong = ranges.find((range) => validRange(range) === null);
    if (wrong !== undefined) throw new Error(`${id} has a range of versions that can't be read: ${wrong}`);
  }
  return advisories;
}

function listed(whole: unknown): readonly unknown[] {
  if (Array.isArray(whole)) return whole;
  const { vulns } = (whole ?? {}) as { readonly vulns?: unknown };
  return Array.isArray(vulns) ? vulns : [whole];
}

/** What of the locked packages the advisories are about. */
export function findingsIn(packages: readonly LockedPackage[], advisories: readonly Advisory[]): Finding[] {
  return packages.flatMap((locked) => {
    const about = advisories.filter((advisory) => advisory.package === locked.name);
    const isIn = (range: string): boolean => satisfies(locked.version, range, { includePrerelease: true });
    return about.filter(({ ranges }) => ranges.some(isIn)).map((advisory) => ({ locked, advisory }));
  });
}
