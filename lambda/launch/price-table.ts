import { table } from "../../local/table";
import type { Offer } from "../api/schemas";
import { money } from "../billing/bill";
import { type CostLimits, forecast, overLimits } from "../billing/forecast";
import { type RentedFileSystem, rentText } from "../billing/rent";
import { planCandidates, type Wanted } from "./planner";

/** What a launch would try, and what it would cost. */
export interface PriceWish extends Wanted, CostLimits {
  /** What would be attached: it costs as well. */
  readonly fileSystem?: RentedFileSystem;
}

/**
 * What a launch would try, best first, as lines of a table: where there is capacity now, price, expected total, and
 * whether that is within the limits.
 * @param offers What the API lists now; or in words why that is not known.
 */
export function priceTable(wish: PriceWish, offers: readonly Offer[] | string): string[] {
  const { instanceTypes, regions, expectedHours, budgetDollars, maxPricePerHour, instances = 1 } = wish;
  const known = typeof offers === "string" ? [] : offers;
  const order = [...new Set(planCandidates(known, wish).map(({ instanceType }) => instanceType))];
  const rows = order.map((name) => {
    const offer = known.find(({ type }) => type.name === name);
    const free = regions.filter((region) => offer?.regionsWithCapacity.includes(region));
    const cents = offer?.type.priceCentsPerHour;
    const expected = cents === undefined ? undefined : forecast(cents, wish).expectedDollars;
    return [
      name,
      offer === undefined ? "unknown" : free.join(", ") || "none now",
      cents === undefined ? "unknown" : money(cents / 100),
      expectedHours === undefined ? "not set" : String(expectedHours),
      expectedHours === undefined ? "open" : expected === undefined ? "unknown" : money(expected),
      typeof offers === "string" ? "unknown" : verdict(cents, wish),
    ];
  });
  const limits = [
    budgetDollars === undefined ? "no budget" : `budget ${money(budgetDollars)}`,
    ...(maxPricePerHour === undefined ? [] : [`at most ${money(maxPricePerHour)} per hour`]),
  ];
  const perHour = instances === 1 ? "per hour" : "per hour, each";
  const head = ["instance type", "capacity now", perHour, "expected hours", "expected total", "limits"];
  return [
    `Launching ${instances === 1 ? "" : `${instances} × `}${instanceTypes.join(" or ")} in ${regions.join(" or ")} (${limits.join(", ")}):`,
    ...table([head, ...rows]),
    ...(typeof offers === "string" ? [`Prices and capacity are unknown: ${offers}`] : []),
    ...(wish.fileSystem === undefined ? [] : [fileSystemLine(wish.fileSystem)]),
  ];
}

function fileSystemLine(fileSystem: RentedFileSystem): string {
  return `File system ${fileSystem.name}: ${rentText(fileSystem)}, attached or not, until you delete it.`;
}

/** Whether a price is within the limits, in a few words. */
function verdict(cents: number | undefined, limits: CostLimits): string {
  const over = overLimits(cents, limits);
  if (over === undefined) return "within";
  if (cents === undefined) return "over: not listed";
  const { maxPricePerHour } = limits;
  return maxPricePerHour !== undefined && cents / 100 > maxPricePerHour ? "over maxPricePerHour" : "over budget";
}
