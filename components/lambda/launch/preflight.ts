import type { FileSystem, Offer, Region } from "../api/schemas";
import { closest } from "../closest";
import { type CostLimits, overLimits } from "../forecast";
import type { Wanted } from "./planner";

/** What was found acceptable, and what was left out and why. */
export interface Acceptable extends Wanted {
  readonly notes: readonly string[];
}

/**
 * Checks what is wanted against what the account is offered: instance types and regions exist, prices are within the
 * limits, file systems are in the region. Throws an error that names all that is wrong; candidates that are merely
 * too expensive or out of a file system's region are left out as long as one remains.
 */
export function preflight(
  wanted: Wanted & CostLimits & { readonly fileSystemNames?: readonly string[] },
  offers: readonly Offer[],
  regions: readonly Region[] | undefined,
  fileSystems: readonly FileSystem[] = [],
): Acceptable {
  const problems = [
    ...unknownNames(
      "instance type",
      wanted.instanceTypes,
      offers.map((offer) => offer.type.name),
    ),
    ...(regions === undefined
      ? []
      : unknownNames(
          "region",
          wanted.regions,
          regions.map((region) => region.name),
        )),
    ...unknownNames(
      "file system",
      wanted.fileSystemNames ?? [],
      fileSystems.map((each) => each.name),
    ),
  ];
  if (problems.length > 0) throw new Error(`Nothing was launched. ${problems.join(" ")}`);

  const notes: string[] = [];
  const keep = (values: readonly string[], reason: (value: string) => string | undefined): string[] =>
    values.filter((value) => {
      const why = reason(value);
      if (why !== undefined) notes.push(`${value} is left out: ${why}`);
      return why === undefined;
    });
  const prices = new Map(offers.map((offer) => [offer.type.name, offer.type.priceCentsPerHour]));
  const instanceTypes = keep(wanted.instanceTypes, (name) => overLimits(prices.get(name), wanted));
  const attached = fileSystems.filter((each) => wanted.fileSystemNames?.includes(each.name));
  const acceptableRegions = keep(wanted.regions, (region) => {
    const elsewhere = attached.find((each) => each.region !== undefined && each.region !== region);
    return elsewhere && `file system ${elsewhere.name} is in ${elsewhere.region} and can only be attached there`;
  });
  if (instanceTypes.length === 0 || acceptableRegions.length === 0) {
    const what = instanceTypes.length === 0 ? "No instance type is within the limits" : "No region is left";
    const advice =
      instanceTypes.length === 0 ? "Raise the limit or list cheaper types" : "Correct regions or the file system";
    throw new Error(`Nothing was launched. ${what}: ${notes.join("; ")}. ${advice}.`);
  }
  return { instanceTypes, regions: acceptableRegions, notes };
}

function unknownNames(what: string, wanted: readonly string[], known: readonly string[]): string[] {
  return wanted
    .filter((name) => !known.includes(name))
    .map((name) => {
      const near = closest(name, known);
      const list =
        near.length > 0 ? `Did you mean ${near.join(" or ")}?` : `There are: ${[...known].sort().join(", ")}.`;
      return `No ${what} "${name}". ${known.length === 0 ? "The account has none." : list}`;
    });
}
