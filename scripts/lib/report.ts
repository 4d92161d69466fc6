import { existsSync, readdirSync } from "node:fs";
import { join, posix } from "node:path";
import { costSince, spentAt } from "../../components/lambda/forecast";
import { isGone } from "../../components/lambda/presence";
import type { RunStatus } from "../../remote/types";
import { ownLogs } from "../../remote/written";
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
  /** null where nothing was launched, or the instance has ended. */
  readonly cost: CostReport | null;
  /** Local folder of verified results, absolute. */
  readonly results: string | null;
}

/**
 * Puts together what is known of a stack.
 * @param now Milliseconds since the epoch.
 */
export function reportOf(view: StackView, instanceState: string, run: RunReport, now = Date.now()): StackReport {
  return {
    stack: view.stack,
    instance:
      view.instance === undefined ? null : { ...view.instance, status: instanceState, ip: view.access?.host ?? null },
    experiment: view.run?.experiment ?? null,
    run,
    // What has ended costs no more, and what it came to is known by its bill alone.
    cost: isGone(instanceState) ? null : costOf(view, run, now),
    results: resultsAtHome(view),
  };
}

/** Local folder of a stack's verified results, absolute; null where nothing that the workload wrote has come home. */
export function resultsAtHome({ resultsFolder, run }: Pick<StackView, "resultsFolder" | "run">): string | null {
  if (resultsFolder === undefined || run === undefined) return null;
  const home = join(resultsFolder, run.experiment);
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
