import { type Bill, dollarsOf } from "../../lambda/billing/bill";
import { costSince } from "../../lambda/billing/forecast";
import { dateOf, instanceStatus, sawGone } from "../stack/look";
import { stackView } from "../stack/read";
import type { StackView } from "../stack/stack-view";

/** By what bills are added up. */
export const groupings = ["stack", "experiment", "month"] as const;
export type Grouping = (typeof groupings)[number];

/** What several instances came to. */
export interface CostSum {
  readonly name: string;
  /** Of the emulated cloud: nobody pays it. */
  readonly emulated: boolean;
  readonly instances: number;
  readonly hours: number;
  /** Before tax, rounded to cents once. */
  readonly dollars: number;
  /** Some of it is an upper bound. */
  readonly estimated: boolean;
}

/** Adds up bills, each under one name, sorted by it. An instance with several experiments counts under all together. */
export function sumBy(bills: readonly Bill[], by: Grouping): CostSum[] {
  const groups = new Map<string, Bill[]>();
  for (const bill of bills) {
    const key = JSON.stringify([nameOf(bill, by), bill.emulated]);
    groups.set(key, [...(groups.get(key) ?? []), bill]);
  }
  const sums = [...groups].map(([key, group]) => {
    const [name, emulated] = JSON.parse(key) as [string, boolean];
    const minutes = group.reduce((sum, bill) => sum + bill.minutes, 0);
    const estimated = group.some(({ estimate }) => estimate !== null);
    return { name, emulated, instances: group.length, hours: minutes / 60, dollars: dollarsOf(...group), estimated };
  });
  return sums.sort((a, b) => a.name.localeCompare(b.name));
}

function nameOf({ stack, runs, terminatedAt }: Bill, by: Grouping): string {
  switch (by) {
    case "stack":
      return stack;
    case "month":
      return terminatedAt.slice(0, 7);
    case "experiment":
      return runs.map(({ experiment }) => experiment).join(" + ") || "none";
  }
}

/** What a stack's instances have cost so far, from their launch; also one that its state does not know. */
export interface RunningCost {
  readonly stack: string;
  readonly dollars: number;
  readonly dollarsPerHour: number;
}

/** @returns null where nothing of the stack is billed, or its state cannot be read; why, where the API does not tell. */
export async function runningCost(stack: string): Promise<RunningCost | { readonly unknown: string } | null> {
  const view = await stackView(stack).catch((): StackView | undefined => undefined);
  if (view === undefined) return null;
  const seen = await instanceStatus(view);
  if (view.instance === undefined && "reason" in seen) return { unknown: seen.reason };
  const known = view.instance === undefined || sawGone(seen) ? [] : [view.instance];
  const billed = [...known, ...("strays" in seen ? seen.strays : [])];
  if (billed.length === 0) return null;
  const now = dateOf(seen);
  const dollars = billed.map(({ launchedAt, priceCents = 0 }) =>
    launchedAt === undefined ? 0 : costSince(launchedAt, priceCents, now),
  );
  const sum = (numbers: readonly number[]): number => numbers.reduce((all, each) => all + each, 0);
  return {
    stack,
    dollars: sum(dollars),
    dollarsPerHour: sum(billed.map(({ priceCents = 0 }) => priceCents)) / 100,
  };
}
