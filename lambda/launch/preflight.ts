import { closest } from "../../plan/closest";
import type { FileSystem, Image, Offer, Region } from "../api/schemas";
import { type CostLimits, overLimits } from "../billing/forecast";
import type { Wanted } from "./planner";

/** What the account is offered, as far as it matters. */
export interface Account {
  readonly offers: readonly Offer[];
  /** Undefined where the API does not list them. */
  readonly regions?: readonly Region[];
  readonly fileSystems?: readonly FileSystem[];
  readonly images?: readonly Image[];
}

/** What is wanted, and what it may cost. */
export interface Wish extends Wanted, CostLimits {
  readonly fileSystemNames?: readonly string[];
  readonly imageFamily?: string;
}

/** What was found acceptable, and what was left out and why. */
export interface Acceptable extends Wanted {
  readonly notes: readonly string[];
}

/**
 * Checks what is wanted against what the account is offered: everything named exists, prices are within the limits,
 * images fit the processor, file systems are in the region. Throws an error that names all that is wrong; instance
 * types and regions that merely do not fit are left out as long as one remains.
 */
export function preflight(wish: Wish, account: Account): Acceptable {
  const { offers, regions, fileSystems = [], images = [] } = account;
  const { imageFamily, fileSystemNames = [] } = wish;
  const types = new Map(offers.map(({ type }) => [type.name, type]));
  const families = images.flatMap(({ family }) => family ?? []);
  const problems = [
    ...unknownNames("instance type", wish.instanceTypes, [...types.keys()]),
    ...(regions === undefined ? [] : unknownNames("region", wish.regions, names(regions))),
    ...unknownNames("file system", fileSystemNames, names(fileSystems)),
    ...unknownNames("image family", imageFamily === undefined ? [] : [imageFamily], families),
  ];
  if (problems.length > 0) throw new Error(`Nothing was launched. ${problems.join(" ")}`);

  const notes: string[] = [];
  const keep = (values: readonly string[], reason: (value: string) => string | undefined): string[] =>
    values.filter((value) => {
      const why = reason(value);
      if (why !== undefined) notes.push(`${value} is ruled out: ${why}`);
      return why === undefined;
    });
  const attached = fileSystems.filter(({ name }) => fileSystemNames.includes(name));
  const instanceTypes = keep(wish.instanceTypes, (name) => {
    const type = types.get(name);
    return overLimits(type?.priceCentsPerHour, wish) ?? noImage(imageFamily, images, type?.architecture);
  });
  const fittingRegions = keep(wish.regions, (region) => {
    const elsewhere = attached.find((each) => each.region !== undefined && each.region !== region);
    return elsewhere && `file system ${elsewhere.name} is in ${elsewhere.region} and can only be attached there`;
  });
  const what = instanceTypes.length === 0 ? "instance type" : "region";
  if (instanceTypes.length === 0 || fittingRegions.length === 0) {
    throw new Error(
      `Nothing was launched. No ${what} fits: ${notes.join("; ")}. List others, or change what rules them out.`,
    );
  }
  return { instanceTypes, regions: fittingRegions, notes };
}

function noImage(family: string | undefined, images: readonly Image[], architecture = ""): string | undefined {
  if (family === undefined) return undefined;
  const known = images.filter((image) => image.family === family).map((image) => image.architecture ?? architecture);
  return known.includes(architecture) ? undefined : `image family ${family} has no image for ${architecture}`;
}

function names(things: readonly { readonly name: string }[]): string[] {
  return things.map(({ name }) => name);
}

function unknownNames(what: string, wanted: readonly string[], listed: readonly string[]): string[] {
  const known = [...new Set(listed)];
  return wanted
    .filter((name) => !known.includes(name))
    .map((name) => {
      const near = closest(name, known);
      const list =
        near.length > 0 ? `Did you mean ${near.join(" or ")}?` : `There are: ${[...known].sort().join(", ")}.`;
      return `No ${what} "${name}". ${known.length === 0 ? "The account has none." : list}`;
    });
}
