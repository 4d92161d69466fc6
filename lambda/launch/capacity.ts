import type { Cloud } from "../api/connect";
import { isKind, type LambdaApiError } from "../api/errors";
import type { Offer } from "../api/schemas";
import { duration, waitFor } from "../api/waiting";
import { type CostLimits, overLimits } from "../billing/forecast";
import type { LaunchContext, Launched } from "./launcher";
import { type Candidate, planCandidates, unlistedInRound, type Wanted } from "./planner";

/** A launch, and where it was made. */
export interface Placed extends Launched {
  readonly candidate: Candidate;
  /** Cents per hour, as listed right before the launch. */
  readonly priceCentsPerHour?: number;
}

export interface Search {
  readonly cloud: Cloud;
  readonly wanted: Wanted;
  /** What an instance may cost, by the listing that is read before each round. */
  readonly limits: CostLimits;
  /** Seconds to wait for capacity. 0: one try at each instance type and region. */
  readonly timeoutSeconds: number;
  /** The listing that was read before. */
  readonly offers: readonly Offer[];
  /** Launches there. Fails with kind `capacity` where that is full. */
  readonly launch: (candidate: Candidate) => Promise<Launched>;
  readonly context: LaunchContext;
}

/**
 * Launches wherever there is capacity first, and waits for it. Only lack of capacity is waited for; every other
 * failure ends the search.
 */
export async function launchWhereFree(search: Search): Promise<Placed> {
  const { cloud, wanted, timeoutSeconds, context } = search;
  const since = clockTime(new Date());
  let offers = search.offers;
  let refused: LambdaApiError | undefined;
  let round = 0;
  let refusals = 0;
  const told = new Map<string, string>();
  const look = async (): Promise<Placed | undefined> => {
    if (round > 0) {
      if (!(await context.engineAlive()))
        throw new Error("The engine that asked is gone: nothing was launched. Run `up` again.");
      offers = await cloud.client.listInstanceTypes();
    }
    const candidates = planCandidates(offers, wanted, timeoutSeconds === 0 ? "all" : unlistedInRound(round));
    round += 1;
    const prices = new Map(offers.map(({ type }) => [type.name, type.priceCentsPerHour]));
    const tooDear = [...new Set(wanted.instanceTypes)].flatMap((name) => {
      const why = overLimits(prices.get(name), search.limits);
      return why === undefined ? [] : [[name, `skipping ${name} now: ${why}`] as const];
    });
    if (tooDear.length === new Set(wanted.instanceTypes).size) throw new Error(allTooDear(tooDear, round));
    for (const [name, why] of tooDear) {
      if (told.get(name) !== why) context.progress(why);
      told.set(name, why);
    }
    const affordable = candidates.filter(({ instanceType }) => tooDear.every(([name]) => name !== instanceType));
    for (const candidate of affordable) {
      if (round === 1) context.status("launching", `${candidate.instanceType} in ${candidate.region}`);
      try {
        const launched = await search.launch(candidate);
        return { ...launched, candidate, priceCentsPerHour: prices.get(candidate.instanceType) };
      } catch (error) {
        if (!isKind(error, "capacity")) throw error;
        refused = error;
        refusals += 1;
      }
    }
    return undefined;
  };
  const placed = await waitFor(look, {
    clock: cloud.clock,
    signal: context.interrupted,
    timeoutSeconds,
    firstPauseSeconds: 10,
    longestPauseSeconds: 20,
    onWait: (elapsed) => {
      if (round === 1)
        context.progress(`no capacity now for ${describe(wanted)}: waiting up to ${duration(timeoutSeconds)}`);
      const asked = `asked ${times(round)}, ${refusals === 0 ? "listed as full" : `refused ${times(refusals)}`}`;
      const left = duration(Math.max(0, timeoutSeconds - elapsed));
      context.status(`waiting for capacity since ${since}`, `${describe(wanted)}; ${asked}; ${left} left`);
    },
  });
  if (placed !== undefined) return placed;
  throw new Error(noCapacity(search.wanted, offers, timeoutSeconds), { cause: refused });
}

/** Prices may have risen while capacity was waited for. */
function allTooDear(reasons: readonly (readonly [name: string, why: string])[], round: number): string {
  const when = round > 1 ? " while `up` waited for capacity" : "";
  return (
    `Nothing was launched. Every instance type is over the limits${when}: ${reasons.map(([, why]) => why).join("; ")}. ` +
    "List others, raise the limit, or run `up` again later."
  );
}

function times(count: number): string {
  return count === 1 ? "once" : `${count} times`;
}

/** Time of day as people here read it: `14:05`. */
function clockTime(time: Date): string {
  return time.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
}

/** Says what was tried, and where else there is capacity now. */
function noCapacity(wanted: Wanted, offers: readonly Offer[], timeoutSeconds: number): string {
  const waited = timeoutSeconds === 0 ? "now" : `within ${duration(timeoutSeconds)} (capacityTimeoutMinutes)`;
  // Regions that were tried may be listed and yet refuse.
  const untried = (offer: Offer): string[] =>
    offer.regionsWithCapacity.filter((name) => !wanted.regions.includes(name));
  const elsewhere = offers
    .filter((offer) => wanted.instanceTypes.includes(offer.type.name) && untried(offer).length > 0)
    .map((offer) => `${offer.type.name} in ${untried(offer).join(", ")}`);
  const others = offers.filter((offer) => offer.regionsWithCapacity.length > 0).map((offer) => offer.type.name);
  const advice =
    elsewhere.length > 0
      ? `Listed as free now: ${elsewhere.join("; ")}. Add these regions`
      : `Types with capacity somewhere now: ${others.sort().join(", ") || "none"}. List more types or regions`;
  return `No capacity ${waited} for ${describe(wanted)}; nothing was launched. ${advice}, or wait longer.`;
}

function describe(wanted: Wanted): string {
  return `${wanted.instanceTypes.join(" or ")} in ${wanted.regions.join(" or ")}`;
}
