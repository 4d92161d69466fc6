import { existsSync, readdirSync } from "node:fs";
import { join, posix } from "node:path";
import type { Stray } from "../../lambda/account/strays";
import { costSince, spentAt } from "../../lambda/billing/forecast";
import { isGone } from "../../lambda/life/presence";
import { recordHead } from "../../remote/transfer/results-file";
import { parseSource } from "../../remote/transfer/results-source";
import type { RunStatus } from "../../remote/types";
import { ownLogs } from "../../remote/written";
import type { AccountLook } from "./look";
import type { StackView } from "./stack-view";

/** The run as it was seen: its status, none, or why nothing is known. */
export type RunReport =
  | RunStatus
  | { readonly state: "none" }
  | { readonly state: "unreachable"; readonly reason: string };

/** What a stack's instance costs, in dollars before tax. null: not known, or no such limit. */
export interface CostReport {
  /** Since the launch. */
  readonly dollars: number;
  readonly dollarsPerHour: number;
  readonly budgetDollars: number | null;
  readonly dollarsLeft: number | null;
  /** Until the budget or the time limit ends the run, whichever is first. */
  readonly hoursLeft: number | null;
}

/** A stack as it is now. `status --json` prints it, and the dashboard page shows it. */
export interface StackReport {
  readonly stack: string;
  readonly instance:
    | (NonNullable<StackView["instance"]> & { readonly status: string; readonly ip: string | null })
    | null;
  readonly experiment: string | null;
  readonly run: RunReport;
  /** Instances that carry the stack's name, and that its state does not know: an `up` was killed while it launched. */
  readonly strays: readonly StrayReport[];
  /** Why it cannot be told whether something is billed, where the state knows no instance. null: it can. */
  readonly unknown: string | null;
  /** What of the last `up` waits for the end of the run, in words. Absent: nothing. */
  readonly waits?: readonly string[];
  /** null where nothing was launched, or the instance has ended. */
  readonly cost: CostReport | null;
  /** Local folder of verified results, absolute. */
  readonly results: string | null;
}

/** A stray, and what it has cost. null: not known. */
export type StrayReport = Pick<Stray, "id" | "name" | "type" | "region" | "status"> & {
  readonly launchedAt: string | null;
  readonly dollarsPerHour: number | null;
  readonly dollars: number | null;
};

/** What else the API shows of a stack: see {@link StackReport}. */
export interface Beside {
  readonly strays?: readonly Stray[];
  readonly unknown?: string | null;
  /** By how many milliseconds the API's clock, by which costs are counted, is ahead of this machine's. */
  readonly aheadMs?: number;
}

/** What a look at the account shows beside the instance in the state. */
export function besideOf(view: StackView, seen: AccountLook): Beside {
  if ("strays" in seen) return { strays: seen.strays, aheadMs: seen.aheadMs };
  return view.instance === undefined ? { unknown: seen.reason } : {};
}

/** Puts together what is known of a stack. */
export function reportOf(view: StackView, instanceState: string, run: RunReport, beside: Beside = {}): StackReport {
  const { strays = [], unknown = null, aheadMs = 0 } = beside;
  const now = Date.now() + aheadMs;
  return {
    stack: view.stack,
    instance:
      view.instance === undefined ? null : { ...view.instance, status: instanceState, ip: view.access?.host ?? null },
    experiment: view.run?.experiment ?? null,
    run,
    strays: strays.map((stray) => strayReport(stray, now)),
    unknown,
    ...(view.waits && { waits: view.waits }),
    // What has ended costs no more, and what it came to is known by its bill alone.
    cost: isGone(instanceState) ? null : costOf(view, run, now),
    results: resultsAtHome(view),
  };
}

function strayReport({ priceCents, launchedAt, ...stray }: Stray, now: number): StrayReport {
  const isKnown = priceCents !== undefined && launchedAt !== undefined;
  return {
    ...stray,
    launchedAt: launchedAt ?? null,
    dollarsPerHour: priceCents === undefined ? null : priceCents / 100,
    dollars: isKnown ? costSince(launchedAt, priceCents, now) : null,
  };
}

/**
 * Local folder of a stack's verified results, absolute; null if nothing that the workload wrote is downloaded, or if what is
 * there is an earlier instance's.
 */
export function resultsAtHome({
  resultsFolder,
  run,
  instance,
}: Pick<StackView, "resultsFolder" | "run" | "instance">): string | null {
  if (resultsFolder === undefined || run === undefined) return null;
  const home = join(resultsFolder, run.experiment);
  const from = parseSource(recordHead(home)?.source ?? "")?.instance;
  if (instance !== undefined && from !== undefined && from !== instance.id) return null;
  return existsSync(join(home, "manifest.json")) && holdsMoreThanLogs(home) ? home : null;
}

/** Whether results hold something besides what the run itself has logged. */
export function holdsMoreThanLogs(home: string): boolean {
  const names = (folder: string): string[] => readdirSync(join(home, folder)).map((name) => posix.join(folder, name));
  return names(".").some(
    (name) => name !== "manifest.json" && (name !== "run" || names("run").some((path) => !ownLogs.includes(path))),
  );
}

function costOf({ instance, run }: StackView, status: RunReport, now: number): CostReport | null {
  if (instance?.launchedAt === undefined) return null;
  const { launchedAt, priceCents, budgetDollars } = instance;
  const dollars = costSince(launchedAt, priceCents, now);
  const budgetEnds = budgetDollars === undefined ? undefined : spentAt(launchedAt, priceCents, budgetDollars);
  const used = "usedSeconds" in status ? status.usedSeconds : undefined;
  const hours = [
    budgetEnds === undefined ? undefined : (budgetEnds - now) / 3_600_000,
    run?.maxSeconds === undefined || used === undefined ? undefined : (run.maxSeconds - used) / 3600,
  ].filter((left) => left !== undefined);
  return {
    dollars,
    dollarsPerHour: priceCents / 100,
    budgetDollars: budgetDollars ?? null,
    dollarsLeft: budgetDollars === undefined ? null : Math.max(0, budgetDollars - dollars),
    hoursLeft: hours.length === 0 ? null : Math.max(0, Math.min(...hours)),
  };
}
