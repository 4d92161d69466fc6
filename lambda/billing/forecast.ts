import { billedMinutes } from "./bill";

/** What a stack may cost. Unset: no limit, or not known. */
export interface CostLimits {
  /** Highest acceptable price, dollars per hour. */
  readonly maxPricePerHour?: number;
  /** Most dollars that the run may cost. */
  readonly budgetDollars?: number;
  /** Hours that the run is expected to take. */
  readonly expectedHours?: number;
}

/** What an instance will cost, in dollars before tax. */
export interface Forecast {
  readonly pricePerHour: number;
  readonly expectedHours?: number;
  /** Price times expected hours. */
  readonly expectedDollars?: number;
  /** Hours until the budget is spent. */
  readonly hoursInBudget?: number;
}

/** Forecast for an instance type at its price in US cents per hour. */
export function forecast(priceCentsPerHour: number, limits: CostLimits = {}): Forecast {
  const { expectedHours, budgetDollars } = limits;
  const pricePerHour = priceCentsPerHour / 100;
  return {
    pricePerHour,
    ...(expectedHours === undefined ? {} : { expectedHours, expectedDollars: pricePerHour * expectedHours }),
    ...(budgetDollars === undefined || pricePerHour === 0 ? {} : { hoursInBudget: budgetDollars / pricePerHour }),
  };
}

/** Dollars for an instance that runs since a time (ISO 8601): every minute begun counts, without a minimum, before tax. */
export function costSince(launchedAt: string, priceCentsPerHour: number, now = Date.now()): number {
  return (billedMinutes(Date.parse(launchedAt), now) * priceCentsPerHour) / 6_000;
}

/** When an instance will have cost a budget, by the same count: milliseconds since the epoch. Never, where it is free. */
export function spentAt(launchedAt: string, priceCentsPerHour: number, budgetDollars: number): number | undefined {
  if (priceCentsPerHour <= 0) return undefined;
  return Date.parse(launchedAt) + Math.floor((budgetDollars * 6_000) / priceCentsPerHour) * 60_000;
}

/** Why a price is over the limits, naming the limit; undefined where it is within. A price not known is over any. */
export function overLimits(priceCentsPerHour: number | undefined, limits: CostLimits): string | undefined {
  const { maxPricePerHour, budgetDollars } = limits;
  if (maxPricePerHour === undefined && budgetDollars === undefined) return undefined;
  if (priceCentsPerHour === undefined) return "its price is not listed";
  const { pricePerHour, expectedHours, expectedDollars } = forecast(priceCentsPerHour, limits);
  if (maxPricePerHour !== undefined && pricePerHour > maxPricePerHour) {
    return `$${pricePerHour.toFixed(2)} per hour is over maxPricePerHour $${maxPricePerHour.toFixed(2)}`;
  }
  if (budgetDollars !== undefined && expectedDollars !== undefined && expectedDollars > budgetDollars) {
    const sum = `${expectedHours} h at $${pricePerHour.toFixed(2)} = $${expectedDollars.toFixed(2)}`;
    return `${sum} is over budgetDollars $${budgetDollars.toFixed(2)}`;
  }
  return undefined;
}
