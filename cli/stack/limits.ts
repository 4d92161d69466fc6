import type { Stray } from "../../lambda/account/strays";
import { duration } from "../../lambda/api/waiting";
import { costSince } from "../../lambda/billing/forecast";
import type { RunStatus } from "../../remote/types";
import type { StackView } from "./stack-view";

/** A limit, and how far it is used up. Reasons as the record of a stopped run has them. */
export interface Limit {
  readonly reason: "budget" | "limit" | "idle";
  /** Part that is used; 1 and more: reached. */
  readonly used: number;
  /** Both in words: `$1.20 of $2.00`. */
  readonly text: string;
}

/** What else a stack spends, and may spend. */
export interface Spending {
  /** Instances that carry its name, and that its state does not know. */
  readonly strays?: readonly Stray[];
  /** Default: as of the last `up`. */
  readonly budgetDollars?: number;
}

/** From this part on a limit is worth a warning. */
export const warnFrom = 0.8;

/**
 * The limits of a stack and how far they are used up, as far as that is known: what it has cost needs the state alone,
 * the rest the run's status.
 * @param now Milliseconds since the epoch.
 */
export function limitsOf(
  view: StackView,
  status: RunStatus | undefined,
  now = Date.now(),
  { strays = [], budgetDollars = view.instance?.budgetDollars }: Spending = {},
): Limit[] {
  const { instance, run } = view;
  const limits: Limit[] = [];
  const billed = [...(instance === undefined ? [] : [instance]), ...strays];
  const costs = billed.flatMap(({ launchedAt, priceCents = 0 }) =>
    launchedAt === undefined ? [] : costSince(launchedAt, priceCents, now),
  );
  if (costs.length > 0 && budgetDollars !== undefined) {
    const cost = costs.reduce((sum, each) => sum + each, 0);
    const text = `$${cost.toFixed(2)} of budgetDollars $${budgetDollars.toFixed(2)}`;
    limits.push({ reason: "budget", used: cost / budgetDollars, text });
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

/** What one look at a stack came to. */
export interface Verdict {
  /** `stray`: all that is billed is an instance that the state does not know. */
  readonly outcome: "within" | "limit" | "ended" | "unreachable" | "stray";
  /** The limit that is reached; the run may have ended by it already. */
  readonly reason?: Limit["reason"];
  /** What there is to say about limits, a line each. */
  readonly lines: readonly string[];
}

/** What a look could see. */
export interface Look {
  /** Undefined where the instance could not be reached, or has no run yet. */
  readonly status?: RunStatus;
  /** Why the instance could not be reached. */
  readonly unreachable?: string;
  /** Whether the API says that the instance does not exist any more. */
  readonly gone: boolean;
  readonly limits: readonly Limit[];
  /** Instances that carry the stack's name, and that its state does not know. */
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
  if (gone) return { outcome: "ended", lines: ["the instance is gone: nothing is billed"] };
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
