import { billedMinutes } from "./bill";

/** What a stack may cost. Unset: no limit, or not known. */
export interface CostLimits {
  /** Highest acceptable price, dollars per hour. */
  readonly maxPricePerHour?: number;
  /** Most dollars that all instances may cost together. */
  readonly budgetDollars?: number;
  /** How many there are. Unset: one. */
  readonly instances?: number;
  /** Hours that the run is expected to take. */
  readonly expectedHours?: number;
}

/** What instances will cost, in dollars before tax. */
export interface Forecast {
  readonly pricePerHour: number;
  readonly expectedHours?: number;
  /** Price times expected hours. */
  readonly expectedDollars?: number;
  /** Hours until the budget is spent. */
  readonly hoursInBudget?: number;
}

/** Forecast for all instances, of a type at its price in US cents per hour. */
export function forecast(priceCentsPerHour: number, limits: CostLimits = {}): Forecast {
  const { expectedHours, budgetDollars, instances = 1 } = limits;
  const pricePerHour = (priceCentsPerHour * instances) / 100;
  return {
    pricePerHour,
    ...(expectedHours === undefined ? {} : { expectedHours, expectedDollars: pricePerHour * expectedHours }),
    ...(budgetDollars === undefined || pricePerHour === 0 ? {} : { hoursInBudget: budgetDollars / pricePerHour }),
  };
}

/** Dollars for an instance that runs since a time (ISO 8601): every minute begun counts, without a minimum, before tax. */
export function costSince(launchedAt: string, priceCentsPerHour: number, now: number): number {
  return (billedMinutes(Date.parse(launchedAt), now) * priceCentsPerHour) / 6_000;
}

/** What is billed: since when (ISO 8601), and cents per hour. Unset: not known, which counts as nothing. */
export interface Billed {
  readonly launchedAt?: string;
  readonly priceCents?: number;
}

/** Dollars that instances have cost together, and cost per hour. */
export function costOfAll(billed: readonly Billed[], now: number): { dollars: number; dollarsPerHour: number } {
  const dollars = billed.map(({ launchedAt, priceCents = 0 }) =>
    launchedAt === undefined ? 0 : costSince(launchedAt, priceCents, now),
  );
  const cents = billed.map(({ priceCents = 0 }) => priceCents);
  return { dollars: sum(dollars), dollarsPerHour: sum(cents) / 100 };
}

/**
 * When instances will have cost a budget together: milliseconds since the epoch. Never, where they are free. By the same
 * count; of several, to a minute for each.
 */
export function spentAt(billed: readonly Required<Billed>[], budgetDollars: number): number | undefined {
  const cents = sum(billed.map(({ priceCents }) => priceCents));
  if (cents <= 0) return undefined;
  const first = Math.min(...billed.map(({ launchedAt }) => Date.parse(launchedAt)));
  // As one instance that costs as much an hour, launched at the mean of their times.
  const late = sum(billed.map(({ launchedAt, priceCents }) => (Date.parse(launchedAt) - first) * priceCents));
  return first + late / cents + Math.floor((budgetDollars * 6_000) / cents) * 60_000;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((all, each) => all + each, 0);
}

/** Why a price is over the limits, naming the limit; undefined where it is within. A price not known is over any. */
export function overLimits(priceCentsPerHour: number | undefined, limits: CostLimits): string | undefined {
  const { maxPricePerHour, budgetDollars, instances = 1 } = limits;
  if (maxPricePerHour === undefined && budgetDollars === undefined) return undefined;
  if (priceCentsPerHour === undefined) return "its price is not listed";
  const { expectedHours, expectedDollars } = forecast(priceCentsPerHour, limits);
  const pricePerHour = priceCentsPerHour / 100;
  if (maxPricePerHour !== undefined && pricePerHour > maxPricePerHour) {
    return `$${pricePerHour.toFixed(2)} per hour is over maxPricePerHour $${maxPricePerHour.toFixed(2)}`;
  }
  if (budgetDollars !== undefined && expectedDollars !== undefined && expectedDollars > budgetDollars) {
    const each = instances === 1 ? "" : ` × ${instances} instances`;
    const sum = `${expectedHours} h at $${pricePerHour.toFixed(2)}${each} = $${expectedDollars.toFixed(2)}`;
    return `${sum} is over budgetDollars $${budgetDollars.toFixed(2)}`;
  }
  return undefined;
}
