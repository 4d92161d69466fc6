import type { Offer } from "../api/schemas";

/** One place to try a launch. */
export interface Candidate {
  readonly instanceType: string;
  readonly region: string;
  /** Whether the API lists capacity there now. */
  readonly listed: boolean;
}

/** What is acceptable, best first. */
export interface Wanted {
  readonly instanceTypes: readonly string[];
  readonly regions: readonly string[];
}

/** How many candidates without listed capacity to try: all, or one of them in turn, or none. */
export type Unlisted = "all" | "none" | { readonly turn: number };

/**
 * Where to try a launch, in this order: candidates with listed capacity before others, better instance types before
 * better regions. The listing is advisory both ways, so that candidates it does not list are worth a rare try.
 */
export function planCandidates(offers: readonly Offer[], wanted: Wanted, unlisted: Unlisted = "all"): Candidate[] {
  const free = new Map(offers.map((offer) => [offer.type.name, new Set(offer.regionsWithCapacity)]));
  const all = unique(wanted.instanceTypes).flatMap((instanceType) =>
    unique(wanted.regions).map((region) => ({
      instanceType,
      region,
      listed: free.get(instanceType)?.has(region) ?? false,
    })),
  );
  const listed = all.filter((candidate) => candidate.listed);
  const others = all.filter((candidate) => !candidate.listed);
  if (unlisted === "all") return [...listed, ...others];
  if (unlisted === "none") return listed;
  const chosen = others[unlisted.turn % Math.max(others.length, 1)];
  return chosen === undefined ? listed : [...listed, chosen];
}

/** Of the rounds of a wait, the first and then each sixth tries one candidate that is not listed, another each time. */
export function unlistedInRound(round: number): Unlisted {
  return round % 6 === 0 ? { turn: round / 6 } : "none";
}

function unique(values: readonly string[]): string[] {
  return [...new Set(values)];
}
