import type { Stray } from "../../lambda/account/strays";
import { costOfAll } from "../../lambda/billing/forecast";
import { type MaintenanceEvent, maintenanceText } from "../../lambda/life/maintenance";
import { onlyMachine } from "../../plan/types";
import type { RunStatus } from "../../remote/types";
import { CommandError, exitCodes } from "../terminal/command";
import { budgetIn, judge, type Limit, limitsOf, type Verdict } from "./limits";
import { type AccountLook, dateOf, type runStatus, sawGone } from "./look";
import { stackFileConfig } from "./pulumi";
import { type JobView, jobsOf, type StackView } from "./stack-view";

/** What one look saw of a run, and what follows. */
export interface SeenJob extends Verdict {
  readonly job: JobView;
  readonly status?: RunStatus;
  /** Whether its instance does not exist (any more). */
  readonly gone: boolean;
  readonly limits: readonly Limit[];
  readonly strays: readonly Stray[];
  /** Lambda's maintenance that is ahead of its instance. */
  readonly maintenance: readonly MaintenanceEvent[];
}

/** What one look saw of a stack. */
export interface Seen {
  readonly view: StackView;
  /** Of each machine that is billed, or was. */
  readonly jobs: readonly SeenJob[];
  /** Dollars so far. null: not known, or nothing is billed. */
  readonly cost: number | null;
  /** What has come first of all that came: a limit, an end. */
  readonly outcome: Verdict["outcome"];
  /** The API's date at the look, in milliseconds since the epoch. */
  readonly now: number;
}

/**
 * What a look came to.
 * @param statuses What was seen of each job's run.
 * @throws CommandError where nothing is billed, or where that is not known.
 */
export function seenOf(
  view: StackView,
  account: AccountLook,
  statuses: readonly Awaited<ReturnType<typeof runStatus>>[],
): Seen {
  if (view.machines.every(({ instance }) => instance === undefined) && account.strays.length === 0)
    throw nothingOrUnknown(view.stack, account);
  const now = dateOf(account);
  const living = view.machines.filter((each) => each.instance !== undefined && !sawGone(account, each));
  const billed = [...living.flatMap(({ instance }) => instance ?? []), ...account.strays];
  const spending = { billed, budgetDollars: budgetOf(view) };
  const jobs = jobsOf(view).flatMap((job, at): SeenJob[] => {
    const seen = statuses[at];
    const strays = account.strays.filter(({ name }) => job.claims?.names.includes(name));
    // Nothing was ever launched for it, while others are billed.
    if (job.instance === undefined && strays.length === 0) return [];
    const gone = !living.some(({ machine }) => machine === job.machine);
    const unreachable = seen !== undefined && "reason" in seen ? seen.reason : undefined;
    const status = seen !== undefined && "state" in seen ? seen : undefined;
    // What has ended costs no more.
    const limits = limitsOf(gone ? {} : job, status, now, spending);
    const verdict = judge({ status, unreachable, gone, limits, strays });
    const maintenance = gone ? [] : (account.maintenance[job.machine] ?? []);
    const lines = [...verdict.lines, ...maintenance.map((event) => maintenanceText(event, now))];
    return [{ job, status, gone, limits, strays, maintenance, ...verdict, lines }];
  });
  const cost = billed.some(({ launchedAt }) => launchedAt !== undefined) ? costOfAll(billed, now).dollars : null;
  const first = byWeight.find((outcome) => jobs.some((job) => job.outcome === outcome));
  return { view, jobs, cost, outcome: first ?? "within", now };
}

/** Outcomes, the one that asks most for something to be done first. */
const byWeight: readonly Verdict["outcome"][] = ["limit", "stray", "ended", "unreachable"];

/** The most that the stack may cost: as of the last `up`, or as it is configured where none has ended well. */
function budgetOf({ stack, machines }: StackView): number | undefined {
  if (machines.some(({ instance }) => instance !== undefined)) return budgetIn(machines);
  const configured = Number(stackFileConfig(stack).budgetDollars);
  return configured > 0 ? configured : undefined;
}

/** What a stack without an instance means, as far as the API tells. */
function nothingOrUnknown(stack: string, { unknown }: AccountLook): CommandError {
  if (unknown === undefined)
    return new CommandError(`Stack ${stack} has no instance, so none is billed.`, exitCodes.nothing);
  return new CommandError(
    `Couldn't check whether an instance of stack ${stack} is billed: ${unknown}. Its state knows none, but a launch ` +
      "may have been interrupted. Run again when the API answers.",
    exitCodes.unreachable,
  );
}

/** What a look asks for: the end of a stack, or of machines of it. */
export interface Ending {
  /** Of machines whose every run has ended or is over a limit; also of one that is billed for what the state doesn't know. */
  readonly due: readonly SeenJob[];
  /** Arguments by which a destroy ends these machines, and all that depends on them, alone. Empty: all of the stack is due. */
  readonly args: readonly string[];
  /** Whether all that is billed for one of them is what the state does not know. */
  readonly isStray: boolean;
}

/** What a look asks for. */
export function endingOf({ jobs }: Pick<Seen, "jobs">): Ending {
  const isStray = ({ gone, strays }: SeenJob): boolean => gone && strays.length > 0;
  const goesOn = jobs.filter((each) => each.outcome !== "limit" && each.outcome !== "ended" && !isStray(each));
  const living = goesOn.map(({ job }) => job.machine);
  const due = jobs.filter(({ job }) => !living.includes(job.machine));
  const names = new Set(living.length === 0 ? [] : due.map(({ job }) => job.machine));
  const claims = [...names].map((name) => `${name === onlyMachine ? "" : `${name}-`}instance-launches`);
  const args = claims.map((claim) => `--target=**::${claim}`);
  return { due, args: [...args, ...(args.length === 0 ? [] : ["--target-dependents"])], isStray: due.some(isStray) };
}

/** What `watch` says of a run: for people, and as `--json` prints it. */
export function toldOf({ job, status, outcome, reason, lines, strays }: SeenJob, cost: number | null) {
  const { stack, label, machine } = job;
  const experiment = job.run?.experiment ?? null;
  const run = status?.state ?? (outcome === "unreachable" ? "unknown" : "none");
  const what = {
    within: "within limits",
    limit: `over: ${reason}`,
    ended: "ended",
    unreachable: "unknown",
    stray: "billed for nothing",
  }[outcome];
  const spent = cost === null ? "" : `$${cost.toFixed(2)} so far  `;
  const said = { costDollars: cost, outcome, reason: reason ?? null, notes: lines, strays: strays.map(({ id }) => id) };
  const of = label === undefined ? stack : `${stack} (${label})`;
  return {
    lines: [`${of}  ${experiment ?? "no run"}  ${run}  ${spent}${what}`, ...lines.map((line) => `  ${line}`)],
    json: { stack, ...(label !== undefined && { machine }), experiment, run, ...said },
  };
}
