import type { Stray } from "../../lambda/account/strays";
import { type Billed, costOfAll, costSince, spentAt } from "../../lambda/billing/forecast";
import { type MaintenanceEvent, maintenanceText } from "../../lambda/life/maintenance";
import type { RunStatus } from "../../remote/types";
import type { Details } from "../status/look";
import { exitCodes } from "../terminal/command";
import { type FileSystemCost, costOf as fileSystemCost } from "./file-systems";
import { notedInBucket, urlInBucket } from "./in-bucket";
import { budgetIn } from "./limits";
import { type AccountLook, dateOf, sawGone, statusText } from "./look";
import { resultsAtHome } from "./results-home";
import type { JobView, MachineView, StackView } from "./stack-view";

/** The run as it was seen: its status, none, or why nothing is known. */
export type RunReport =
  | RunStatus
  | { readonly state: "none" }
  | { readonly state: "unreachable"; readonly reason: string };

/** What a stack's instances cost, in dollars before tax. null: not known, or no such limit. */
export interface CostReport {
  /** Since the launch. */
  readonly dollars: number;
  readonly dollarsPerHour: number;
  readonly budgetDollars: number | null;
  readonly dollarsLeft: number | null;
  /** Until the budget or a time limit ends a run, whichever is first. */
  readonly hoursLeft: number | null;
}

/** A machine of a stack with one of its runs, as they are now. The page shows it, and `status --json` prints it if there is but one. */
export interface StackReport extends Partial<Details> {
  readonly stack: string;
  readonly instance:
    | (NonNullable<JobView["instance"]> & { readonly status: string; readonly ip: string | null })
    | null;
  readonly experiment: string | null;
  /** Its place in a training on several machines. Absent: it trains alone. */
  readonly node?: { readonly rank: number; readonly nodes: number };
  readonly run: RunReport;
  /** Instances that carry the stack's name, and that its state does not know: an `up` was killed while it launched. */
  readonly strays: readonly StrayReport[];
  /** Why it cannot be told whether something is billed, where the state knows no instance. null: it can. */
  readonly unknown: string | null;
  /** What of the last `up` waits for the end of the run, in words. Absent: nothing. */
  readonly waits?: readonly string[];
  /** Lambda's maintenance that is ahead of the instance. Absent: none is known. */
  readonly maintenance?: readonly MaintenanceReport[];
  /** What the machine has attached, and what that costs with or without an instance. Absent: nothing. */
  readonly fileSystem?: FileSystemCost;
  /** Of all the stack's machines. null where nothing was launched, or every instance has ended. */
  readonly cost: CostReport | null;
  /** Local folder of this run's verified results, absolute; or their URL in a bucket that counts as home. */
  readonly results: string | null;
  /** Why they are not all of it, in words. Absent: nothing speaks for that. */
  readonly resultsLack?: string;
}

/** Maintenance of an instance's host. null: Lambda doesn't tell. */
export interface MaintenanceReport {
  readonly status: string;
  readonly urgency: string | null;
  /** ISO 8601 in UTC. */
  readonly notBefore: string | null;
  readonly notAfter: string | null;
  /** All of it in words. */
  readonly text: string;
}

/** A stray, and what it has cost. null: not known. */
export type StrayReport = Pick<Stray, "id" | "name" | "type" | "region" | "status"> & {
  readonly launchedAt: string | null;
  readonly dollarsPerHour: number | null;
  readonly dollars: number | null;
};

/** A machine with one of its runs, as somebody has looked at it. */
export interface JobLook {
  readonly job: JobView;
  readonly run: RunReport;
  readonly details?: Details;
}

/** The same with everything else that is known of it. */
export interface JobReport extends JobLook {
  readonly report: StackReport;
  /** What its machine costs. null: nothing (any more). */
  readonly cost: Pick<CostReport, "dollars" | "dollarsPerHour"> | null;
}

/** Puts together what is known of a stack, for each look that was taken. */
export function reportsOf(view: StackView, account: AccountLook, looks: readonly JobLook[]): JobReport[] {
  const now = dateOf(account);
  // What has ended costs no more, and what it came to is known by its bill alone.
  const billed = (machine: MachineView): Required<Billed>[] => {
    const { launchedAt, priceCents = 0 } = machine.instance ?? {};
    return launchedAt === undefined || sawGone(account, machine) ? [] : [{ launchedAt, priceCents }];
  };
  const cost = costOf(view.machines.flatMap(billed), budgetIn(view.machines), looks, now);
  const strays = account.strays.map((stray) => strayReport(stray, now));
  return looks.map((look) => {
    const { job, run, details } = look;
    const { stack, instance, access, waits } = job;
    const events = account.maintenance[job.machine]?.map((event) => maintenanceReport(event, now));
    const known = instance && { ...instance, status: statusText(account, job), ip: access?.host ?? null };
    const { fileSystem } = job;
    const attached = account.fileSystems?.find(({ name }) => name === fileSystem?.name) ?? fileSystem;
    const status = "logPath" in run ? run : undefined;
    const home = resultsAtHome(job, status);
    const left = status === undefined ? notedInBucket(job) : undefined;
    const report = {
      stack,
      instance: known ?? null,
      experiment: job.run?.experiment ?? null,
      ...(job.run?.node && { node: { rank: job.run.node.rank, nodes: job.run.node.machines.length } }),
      run,
      strays,
      unknown: account.unknown ?? null,
      ...(waits && { waits }),
      ...(events && { maintenance: events }),
      ...(attached && { fileSystem: fileSystemCost(attached) }),
      cost,
      results: home?.folder ?? urlInBucket(job, status) ?? null,
      ...(home?.lacks !== undefined && { resultsLack: home.lacks }),
      ...details,
      ...(left && { metrics: left.metrics }),
    };
    return { ...look, report, cost: billed(job).length === 0 ? null : costOfAll(billed(job), now) };
  });
}

/** What `status --json` prints: a value where the stack has one machine and one run, and maps by name where it has several. */
export function printedReport(all: readonly JobReport[]): object {
  const [only, ...more] = all.map(({ report }) => report);
  if (only === undefined || more.length === 0) return only ?? {};
  const { stack, strays, unknown, cost } = only;
  const machines = all.map(({ job, cost: own, report: { instance, waits, maintenance, fileSystem, machine } }) => {
    const known = { ...(waits && { waits }), ...(maintenance && { maintenance }), ...(fileSystem && { fileSystem }) };
    return [job.machine, { instance, ...known, cost: own, machine }] as const;
  });
  const runs = all.map(({ job, report }) => {
    const { experiment, node, run, results, resultsLack, progress, metrics, metricsLeft, machine, log } = report;
    const lack = { ...(resultsLack !== undefined && { resultsLack }), ...(metricsLeft && { metricsLeft }) };
    const found = {
      experiment,
      ...(node && { node }),
      run,
      results,
      progress,
      metrics,
      ...lack,
      checkpoints: machine?.checkpoints ?? [],
      log,
    };
    return [job.name, { machine: job.machine, ...found }] as const;
  });
  const named = runs.filter(([name]) => name !== undefined);
  // The first look at a machine counts.
  return {
    stack,
    machines: Object.fromEntries(machines.reverse()),
    runs: Object.fromEntries(named),
    strays,
    unknown,
    cost,
  };
}

/** The exit code of `status`: what is most urgent of all machines and runs. */
export function exitCodeOf(all: readonly JobReport[]): number {
  const is = (state: string): boolean => all.some(({ run }) => run.state === state);
  if (all.some(({ report }) => report.strays.length > 0)) return exitCodes.failed;
  if (all.some(({ report }) => report.unknown !== null)) return exitCodes.unreachable;
  if (all.every(({ report }) => report.instance === null)) return exitCodes.nothing;
  if (is("unreachable")) return exitCodes.unreachable;
  return is("failed") ? exitCodes.failed : exitCodes.ok;
}

function maintenanceReport(event: MaintenanceEvent, now: number): MaintenanceReport {
  const { status, urgency = null, notBefore = null, notAfter = null } = event;
  return { status, urgency, notBefore, notAfter, text: maintenanceText(event, now) };
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

function costOf(
  billed: readonly Required<Billed>[],
  budgetDollars: number | undefined,
  looks: readonly JobLook[],
  now: number,
): CostReport | null {
  if (billed.length === 0) return null;
  const { dollars, dollarsPerHour } = costOfAll(billed, now);
  const budgetEnds = budgetDollars === undefined ? undefined : spentAt(billed, budgetDollars);
  const hours = [
    budgetEnds === undefined ? undefined : (budgetEnds - now) / 3_600_000,
    ...looks.map(({ job, run }) => {
      const used = "usedSeconds" in run ? run.usedSeconds : undefined;
      return job.run?.maxSeconds === undefined || used === undefined ? undefined : (job.run.maxSeconds - used) / 3600;
    }),
  ].filter((left) => left !== undefined);
  return {
    dollars,
    dollarsPerHour,
    budgetDollars: budgetDollars ?? null,
    dollarsLeft: budgetDollars === undefined ? null : Math.max(0, budgetDollars - dollars),
    hoursLeft: hours.length === 0 ? null : Math.max(0, Math.min(...hours)),
  };
}
