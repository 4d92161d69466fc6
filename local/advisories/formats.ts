import { z } from "zod";

/** A known weakness of versions of an npm package. */
export interface Advisory {
  readonly id: string;
  readonly summary: string;
  /** `low`, `moderate`, `high` or `critical`; `unknown` where the file doesn't say. */
  readonly severity: string;
  readonly package: string;
  /** Ranges as npm writes them; a version in any of them is affected. */
  readonly ranges: readonly string[];
  /** Versions without it, as far as the file tells. */
  readonly fixed: readonly string[];
}

const event = z.object({
  introduced: z.string().optional(),
  fixed: z.string().optional(),
  last_affected: z.string().optional(),
});
const named = z.object({ ecosystem: z.string(), name: z.string() });

/** An advisory in the format of OSV, which GitHub's advisory database keeps its files in. */
const osv = z.object({
  id: z.string(),
  summary: z.string().optional(),
  withdrawn: z.string().nullish(),
  database_specific: z.object({ severity: z.string().optional() }).optional(),
  affected: z.array(
    z.object({
      package: named.optional(),
      ranges: z.array(z.object({ type: z.string(), events: z.array(event) })).optional(),
      versions: z.array(z.string()).optional(),
    }),
  ),
});

/** An advisory as GitHub's API gives it. */
const github = z.object({
  ghsa_id: z.string(),
  summary: z.string().optional(),
  severity: z.string().nullish(),
  withdrawn_at: z.string().nullish(),
  vulnerabilities: z.array(
    z.object({
      package: named,
      vulnerable_version_range: z.string().nullish(),
      first_patched_version: z.union([z.string(), z.object({ identifier: z.string() })]).nullish(),
    }),
  ),
});

/** The advisories for npm packages in one entry of a file, or undefined where it is in neither format. */
export function advisoriesIn(entry: unknown): Advisory[] | undefined {
  const inOsv = osv.safeParse(entry);
  if (inOsv.success) return ofOsv(inOsv.data);
  const inGithub = github.safeParse(entry);
  return inGithub.success ? ofGithub(inGithub.data) : undefined;
}

function ofOsv({ id, summary = "", withdrawn, database_specific: more, affected }: z.infer<typeof osv>): Advisory[] {
  if (withdrawn != null) return [];
  const severity = (more?.severity ?? "unknown").toLowerCase();
  return affected.flatMap(({ package: of, ranges = [], versions = [] }) => {
    if (of?.ecosystem !== "npm") return [];
    const spans = ranges.filter(({ type }) => type !== "GIT").map(({ events }) => rangeOf(events));
    const fixed = ranges.flatMap(({ events }) => events.flatMap((each) => each.fixed ?? []));
    return [{ id, summary, severity, package: of.name, ranges: [...spans, ...versions], fixed }];
  });
}

/** Each `introduced` begins a span, which a `fixed` or `last_affected` ends. */
function rangeOf(events: readonly z.infer<typeof event>[]): string {
  const spans: string[] = [];
  for (const { introduced, fixed, last_affected: last } of events) {
    if (introduced !== undefined) spans.push(`>=${introduced === "0" ? "0.0.0-0" : introduced}`);
    const end = fixed === undefined ? last && `<=${last}` : `<${fixed}`;
    if (end !== undefined) spans.push(`${spans.pop() ?? ""} ${end}`.trim());
  }
  return spans.join(" || ");
}

function ofGithub({ ghsa_id: id, summary = "", ...entry }: z.infer<typeof github>): Advisory[] {
  if (entry.withdrawn_at != null) return [];
  return entry.vulnerabilities.flatMap((each) => {
    const { package: of, vulnerable_version_range: range, first_patched_version: patched } = each;
    if (of.ecosystem !== "npm" || range == null) return [];
    const fixed = patched == null ? [] : [typeof patched === "string" ? patched : patched.identifier];
    const severity = entry.severity === "medium" ? "moderate" : (entry.severity ?? "unknown");
    return [{ id, summary, severity, package: of.name, ranges: [range.replaceAll(",", " ")], fixed }];
  });
}
