import { setTimeout as sleep } from "node:timers/promises";
import type { Stray } from "../lambda/account/strays";
import { costSince } from "../lambda/billing/forecast";
import { stopRun } from "../remote/run";
import type { RunStatus } from "../remote/types";
import { tellOfLimits, tellOfRun } from "./notify/notify";
import { destroyStack } from "./stack/destroy";
import { isWorkedOn } from "./stack/killed-cli";
import { judge, type Limit, limitsOf, type Verdict } from "./stack/limits";
import { type AccountLook, dateOf, instanceStatus, runStatus, sawGone } from "./stack/look";
import { refuseProtected } from "./stack/protection";
import { stackFileConfig } from "./stack/pulumi";
import { stackView } from "./stack/read";
import type { StackView } from "./stack/stack-view";
import { CommandError, exitCodes, operatorCommand, run, wholeNumber } from "./terminal/command";
import { printJson } from "./terminal/output";

const description =
  "Checks cost, time and idleness against the stack's limits, once: for cron, systemd and CI. With --destroy, it does " +
  "what `down` does when a limit is reached or the run has ended.";

const command = operatorCommand("watch", description)
  .option("--every <minutes>", "check again and again, until a limit is reached or the run has ended", wholeNumber)
  .option("--destroy", "then stop the run, download its results and terminate, without asking")
  .option("--json", "print one JSON object per check")
  .addHelpText(
    "after",
    "\nAlso: 0 within all limits (with --destroy: or terminated), 1 an instance is billed that the state doesn't know, " +
      "10 limit reached, 11 run ended.",
  );

interface Options {
  readonly stack?: string;
  readonly every?: number;
  readonly destroy?: boolean;
  readonly json?: boolean;
}

/** What one look saw, and what follows. */
interface Seen extends Verdict {
  readonly limits: readonly Limit[];
  readonly view: StackView;
  readonly status?: RunStatus;
  readonly gone: boolean;
  readonly strays: readonly Stray[];
  /** The date by the API, in milliseconds since the epoch. */
  readonly now: number;
}

/** The stack whose destroy has begun and not ended well. */
let ending: string | undefined;

/** Whether somebody wanted to end while a destroy went on: the engine hears of it by itself, and the watching is over. */
let isInterrupted = false;

run(async () => {
  command.parse();
  const options = command.opts<Options>();
  const { every } = options;
  if (every === undefined) return (await watchOnce(options)).code;
  for (;;) {
    try {
      const { code, over } = await watchOnce(options);
      if (over || isInterrupted) return code;
    } catch (error) {
      const isOver = error instanceof CommandError && error.exitCode === exitCodes.nothing;
      if (isOver || isInterrupted) throw error;
      // A watch guards money: if something fails now, such as reading the state, it tries again.
      console.error(`${(error as Error).message}\nTrying again in ${every} min.`);
    }
    await sleep(every * 60_000);
  }
});

/** One look and what follows from it. `over`: there is nothing more to watch. */
async function watchOnce({ stack, destroy, json }: Options): Promise<{ code: number; over: boolean }> {
  // The instance may be gone while other resources remain to be destroyed.
  if (ending !== undefined) return destroyed(ending);
  const seen = await look(stack);
  print(seen, json === true);
  await tellOfRun(seen.view, seen.status);
  await tellOfLimits(seen.view, seen);
  const due = seen.outcome === "limit" || seen.outcome === "ended";
  // A stray is no end of the watching: an `up` may adopt it, and train.
  const stray = seen.gone && seen.strays.length > 0;
  if (destroy !== true || !(due || stray)) return { code: codes[seen.outcome], over: due && !stray };
  if (stray) return strayDestroyed(seen);
  // Before the run is stopped: a protected one keeps running.
  await refuseProtected(seen.view.stack);
  await stopFor(seen);
  return destroyed(seen.view.stack);
}

/**
 * Terminates what a killed `up` launched. While another command works on the stack, the launch may be that command's, so
 * this does nothing.
 */
async function strayDestroyed({ view: { stack } }: Seen): Promise<{ code: number; over: boolean }> {
  if (await isWorkedOn(stack)) {
    console.error(`Another command is working on ${stack} and may adopt the instance, so nothing was terminated.`);
    return { code: codes.stray, over: false };
  }
  try {
    return await destroyed(stack);
  } finally {
    // If it failed, an `up` may adopt the instance before the next look.
    ending = undefined;
  }
}

const codes: Readonly<Record<Verdict["outcome"], number>> = {
  within: exitCodes.ok,
  limit: exitCodes.limit,
  ended: exitCodes.ended,
  unreachable: exitCodes.unreachable,
  stray: exitCodes.failed,
};

/** Reads everything each time: an `up` may have changed the limits, or replaced the instance. */
async function look(stack: string | undefined): Promise<Seen> {
  const view = await stackView(stack);
  const [instance, seen] = await Promise.all([instanceStatus(view), runStatus(view)]);
  const strays = "strays" in instance ? instance.strays : [];
  if (view.instance === undefined && strays.length === 0) throw nothingOrUnknown(view.stack, instance);
  const gone = sawGone(instance);
  const unreachable = seen !== undefined && "reason" in seen ? seen.reason : undefined;
  const status = seen !== undefined && "state" in seen ? seen : undefined;
  // What has ended costs no more.
  const living = gone || view.instance === undefined ? undefined : view;
  const now = dateOf(instance);
  const limits = limitsOf(living ?? { ...view, instance: undefined, run: undefined }, status, now, {
    strays,
    budgetDollars: budgetOf(view),
  });
  const verdict = judge({ status, unreachable, gone: living === undefined, limits, strays });
  return { view, status, gone: living === undefined, limits, strays, now, ...verdict };
}

/** The most that the stack may cost: as of the last `up`, or as it is configured where none has ended well. */
function budgetOf({ stack, instance }: StackView): number | undefined {
  if (instance !== undefined) return instance.budgetDollars;
  const configured = Number(stackFileConfig(stack).budgetDollars);
  return configured > 0 ? configured : undefined;
}

/** What a stack without an instance means, as far as the API tells. */
function nothingOrUnknown(stack: string, seen: AccountLook): CommandError {
  if ("status" in seen)
    return new CommandError(`Stack ${stack} has no instance: nothing is billed.`, exitCodes.nothing);
  return new CommandError(
    `Couldn't check whether an instance of stack ${stack} is billed: ${seen.reason}. Its state knows none, but a launch ` +
      "may have been interrupted. Run again when the API answers.",
    exitCodes.unreachable,
  );
}

function print({ view, status, gone, outcome, reason, lines, strays, now }: Seen, json: boolean): void {
  const billed = [...(gone || view.instance === undefined ? [] : [view.instance]), ...strays];
  const costs = billed.flatMap(({ launchedAt, priceCents = 0 }) =>
    launchedAt === undefined ? [] : costSince(launchedAt, priceCents, now),
  );
  const cost = costs.length === 0 ? null : costs.reduce((sum, each) => sum + each, 0);
  const { stack } = view;
  const experiment = view.run?.experiment ?? null;
  const state = status?.state ?? (outcome === "unreachable" ? "unknown" : "none");
  if (json) {
    const said = { outcome, reason: reason ?? null, notes: lines };
    const report = { stack, experiment, run: state, costDollars: cost, ...said, strays: strays.map(({ id }) => id) };
    printJson(report, 0);
    return;
  }
  const what = {
    within: "within limits",
    limit: `over: ${reason}`,
    ended: "ended",
    unreachable: "unknown",
    stray: "billed for nothing",
  }[outcome];
  console.log(
    `${stack}  ${experiment ?? "no run"}  ${state}  ${cost === null ? "" : `$${cost.toFixed(2)} so far  `}${what}`,
  );
  for (const line of lines) console.log(`  ${line}`);
}

/** Stops the run as its own limits on the instance would. */
async function stopFor({ view, status, reason }: Seen): Promise<void> {
  const { access, run: plan } = view;
  const going = status?.state === "starting" || status?.state === "running";
  if (reason !== undefined && going && access !== undefined && plan !== undefined) {
    const { experiment, graceSeconds } = plan;
    // Whatever prevents the stop also prevents the termination, and the destroy then says so.
    await stopRun(access, { experiment }, { reason, graceSeconds }).catch((error: Error) =>
      console.error(error.message),
    );
  }
}

async function destroyed(stack: string): Promise<{ code: number; over: boolean }> {
  ending = stack;
  const signals = ["SIGINT", "SIGTERM"] as const;
  for (const signal of signals) process.on(signal, noteInterruption);
  try {
    const code = await destroyStack(stack, { unasked: true, isWanted: () => !isInterrupted });
    return { code: code === 0 ? exitCodes.ok : exitCodes.failed, over: code === 0 };
  } finally {
    for (const signal of signals) process.off(signal, noteInterruption);
  }
}

function noteInterruption(): void {
  isInterrupted = true;
}
