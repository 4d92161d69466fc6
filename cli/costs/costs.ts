import { type Bill, dollarsOf } from "../../lambda/billing/bill";
import { costOfAll } from "../../lambda/billing/forecast";
import { type AccountLook, dateOf, lookAtAccount, sawGone } from "../stack/look";
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

/** What instances have cost so far, from their launch. */
export interface Cost {
  readonly dollars: number;
  readonly dollarsPerHour: number;
}

/** What a stack's instances have cost so far; also one that its state does not know. */
export interface RunningCost extends Cost {
  readonly stack: string;
  /** By name, where it has several. */
  readonly machines?: Readonly<Record<string, Cost>>;
}

/** @returns null where nothing of the stack is billed, or its state cannot be read; why, where the API does not tell. */
export async function runningCost(stack: string): Promise<RunningCost | { readonly unknown: string } | null> {
  const view = await stackView(stack).catch((): StackView | undefined => undefined);
  return view === undefined ? null : costOf(view, await lookAtAccount(view));
}

/** What a look at the account tells of the costs. */
export function costOf(view: StackView, account: AccountLook): Awaited<ReturnType<typeof runningCost>> {
  const { stack, machines } = view;
  const known = machines.flatMap(({ machine, instance }) =>
    instance === undefined || sawGone(account, { machine }) ? [] : [{ machine, ...instance }],
  );
  if (known.length === 0 && account.unknown !== undefined) return { unknown: account.unknown };
  const billed = [...known, ...account.strays];
  if (billed.length === 0) return null;
  const now = dateOf(account);
  const each = known.map((instance) => [instance.machine, costOfAll([instance], now)] as const);
  return {
    stack,
    ...costOfAll(billed, now),
    ...(machines.length > 1 && { machines: Object.fromEntries(each) }),
  };
}
