import { z } from "zod";

const time = z.iso.datetime({ offset: true });

/** How a run on a billed instance ended. */
const billedRun = z.object({
  experiment: z.string(),
  /**
   * The run's state when its instance was given up (`finished`, `failed`, `stopped`, …); `left behind`: its results were
   * given up; `lost`: the instance was gone; `never started`; `not seen to its end`.
   */
  outcome: z.string(),
  /** Why a clean stop happened: `destroy`, `limit`, `budget`, `idle`. */
  reason: z.string().optional(),
  exitCode: z.number().int().optional(),
  startedAt: z.string().optional(),
  endedAt: z.string().optional(),
  /** The few numbers of the evaluation that tell most, by name. */
  metrics: z.record(z.string(), z.number()).default({}),
  /** Local folder of its results, relative to the project. */
  results: z.string().optional(),
});

/** A line of a ledger: what one instance was, where, for how long, what it cost, and what came of it. Times in UTC. */
export const billSchema = z.object({
  version: z.literal(1),
  stack: z.string().min(1),
  /** Of the emulated cloud: nobody pays it. */
  emulated: z.boolean(),
  instanceId: z.string().min(1),
  instanceType: z.string(),
  region: z.string(),
  launchedAt: time,
  /** When its health checks first passed, which starts the billing; null: they never did, and nothing is billed. */
  billedSince: time.nullable(),
  terminatedAt: time,
  /** Every minute begun between the two. */
  minutes: z.number().int().min(0),
  priceCentsPerHour: z.number().min(0),
  /** Before tax, to the hundredth of a cent. Sums are made of minutes and prices: see {@link dollarsOf}. */
  dollars: z.number().min(0),
  /** Why the times, and so the dollars, are an upper bound; null: they are what the API told. */
  estimate: z.string().nullable(),
  /** `us`: terminated by this project; `outside`: by somebody else; `preempted`: by Lambda. */
  endedBy: z.enum(["us", "outside", "preempted"]),
  runs: z.array(billedRun),
});

export type Bill = z.infer<typeof billSchema>;
export type BilledRun = z.infer<typeof billedRun>;

/** What is billed: whole minutes at a price in US cents per hour. */
export type Metered = Pick<Bill, "minutes" | "priceCentsPerHour">;

/** Minutes billed between two times in milliseconds: every one that has begun, without a minimum. */
export function billedMinutes(from: number, to: number): number {
  return Math.ceil(Math.max(0, to - from) / 60_000);
}

/** Dollars for one or several bills, rounded to cents once, in the end: the sum before is exact. */
export function dollarsOf(...bills: readonly Metered[]): number {
  return Math.round(sixtiethsOf(bills) / 60) / 100;
}

/** Dollars of one bill to the hundredth of a cent. */
export function exactDollars(bill: Metered): number {
  return Math.round((sixtiethsOf([bill]) * 100) / 60) / 10_000;
}

/** Whole sixtieths of a cent: a minute at a price in whole cents per hour costs a whole number of them. */
function sixtiethsOf(bills: readonly Metered[]): number {
  return bills.reduce((sum, { minutes, priceCentsPerHour }) => sum + minutes * priceCentsPerHour, 0);
}

/** Dollars as people read them: `$1.20`. */
export function money(dollars: number): string {
  return `$${dollars.toFixed(2)}`;
}
