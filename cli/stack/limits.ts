import type { Stray } from "../../lambda/account/strays";
import { duration } from "../../lambda/api/waiting";
import { type Billed, costOfAll } from "../../lambda/billing/forecast";
import type { RunStatus } from "../../remote/types";
import type { JobView, MachineView } from "./stack-view";

/** A limit, and how far it is used up. Reasons as the record of a stopped run has them. */
export interface Limit {
  readonly reason: "budget" | "limit" | "idle";
  /** Part that is used; 1 and more: reached. */
  readonly used: number;
  /** Both in words: `$1.20 of $2.00`. */
  readonly text: string;
}

/** What a stack spends, and may spend. */
export interface Spending {
  /** Its instances, also those that its state does not know. */
  readonly billed: readonly Billed[];
  readonly budgetDollars?: number;
}

/** The most that a stack may cost, as of the last `up`; undefined without an instance. */
export function budgetIn(machines: readonly MachineView[]): number | undefined {
  const budgets = machines.flatMap(({ instance }) => instance?.budgetDollars ?? []);
  return budgets.length === 0 ? undefined : Math.min(...budgets);
}

/** From this part on a limit is worth a warning. */
export const warnFrom = 0.8;

/**
 * The limits of a run and how far they are used up, as far as that is known: what its stack has cost needs the state
 * alone, the rest the run's status.
 * @param now Milliseconds since the epoch.
 */
export function limitsOf(
  { run }: Pick<JobView, "run">,
  status: RunStatus | undefined,
  now: number,
  { billed, budgetDollars }: Spending,
): Limit[] {
  const limits: Limit[] = [];
  if (billed.some(({ launchedAt }) => launchedAt !== undefined) && budgetDollars !== undefined) {
    const { dollars } = costOfAll(billed, now);
    const text = `$${dollars.toFixed(2)} of budgetDollars $${budgetDollars.toFixed(2)}`;
    limits.push({ reason: "budget", used: dollars / budgetDollars, text });
  }
  const time = (
    reason: "limit" | "idle",
    seconds: number | undefined,
    most: number | undefined,
    name: string,
  ): void => {
    if (seconds === undefined || most === undefined) return;
    limits.push({ reason, used: seconds / most, text: `${duration(seconds)} of ${name} ${duration(most)}` });
  };
  time("limit", status?.usedSeconds, run?.maxSeconds, "train.maxHours");
  time("idle", status?.idleSeconds, run?.idleSeconds, "train.idleMinutes");
  return limits;
}

/** What one look at a run came to. */
export interface Verdict {
  /** `stray`: all that is billed is an instance that the state does not know. */
  readonly outcome: "within" | "limit" | "ended" | "unreachable" | "stray";
  /** The limit that is reached; the run may have ended by it already. */
  readonly reason?: Limit["reason"];
  /** What there is to say about limits, a line each. */
  readonly lines: readonly string[];
}

/** What a look at a run could see. */
export interface Look {
  /** Undefined where the instance could not be reached, or has no run yet. */
  readonly status?: RunStatus;
  /** Why the instance could not be reached. */
  readonly unreachable?: string;
  /** Whether the API says that the instance does not exist any more. */
  readonly gone: boolean;
  readonly limits: readonly Limit[];
  /** Instances that carry its machine's name, and that the state does not know. */
  readonly strays?: readonly Stray[];
}

/**
 * Judges a look. Not reaching the instance is never a reason by itself; what it has cost is known all the same. A limit
 * that is reached takes precedence over an end, because the instance keeps billing.
 */
export function judge({ status, unreachable, gone, limits, strays = [] }: Look): Verdict {
  const lines = [...limits.filter(({ used }) => used >= warnFrom).map(inWords), ...strays.map(strayInWords)];
  if (gone && strays.length > 0) {
    const isOver = limits.some(({ reason, used }) => reason === "budget" && used >= 1);
    return isOver ? { outcome: "limit", reason: "budget", lines } : { outcome: "stray", lines };
  }
  if (gone) return { outcome: "ended", lines: ["the instance is gone: it is no longer billed"] };
  const stopped = status?.stopReason;
  const byLimit = stopped === "budget" || stopped === "limit" || stopped === "idle" ? stopped : undefined;
  const reason = limits.find(({ used }) => used >= 1)?.reason ?? byLimit;
  if (reason !== undefined) return { outcome: "limit", reason, lines };
  if (unreachable !== undefined) return { outcome: "unreachable", lines: [`unreachable: ${unreachable}`, ...lines] };
  const ended = status?.state === "finished" || status?.state === "failed" || status?.state === "stopped";
  return { outcome: ended ? "ended" : "within", lines };
}

function strayInWords({ id, type, region, launchedAt }: Stray): string {
  const since = launchedAt === undefined ? "" : ` at ${launchedAt}`;
  return (
    `instance ${id} (${type} in ${region}) was launched${since}, but the state does not know it: ` +
    "`npm run up` adopts it, `npm run down` terminates it"
  );
}

function inWords({ used, text }: Limit): string {
  return used >= 1 ? `limit reached: ${text}` : `warning: ${Math.floor(used * 100)} % used, ${text}`;
}
