import { setTimeout as sleep } from "node:timers/promises";
import { costSince } from "../components/lambda/forecast";
import { stopRun } from "../remote/run";
import type { RunStatus } from "../remote/types";
import { CommandError, exitCodes, operatorCommand, run, wholeNumber } from "./lib/command";
import { destroyStack } from "./lib/destroy";
import { judge, type Limit, limitsOf, type Verdict } from "./lib/limits";
import { instanceStatus, runStatus, sawGone } from "./lib/look";
import { tellOfLimits, tellOfRun } from "./lib/notify/notify";
import { type StackView, stackView } from "./lib/stack-view";

const description =
  "One look at cost, time and idleness against the stack's limits, ready for cron, systemd and CI. With --destroy it " +
  "brings the results home and terminates when a limit is reached or the run has ended.";

const command = operatorCommand("watch", description)
  .option("--every <minutes>", "look again and again, until a limit is reached or the run has ended", wholeNumber)
  .option("--destroy", "then stop the run, bring its results home and terminate, without asking")
  .option("--json", "print one JSON object a look")
  .addHelpText("after", "\nAlso: 0 within all limits (with --destroy: or ended well), 10 limit reached, 11 run ended.");

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
      // Who watches guards money: what cannot be done now, as while the state cannot be read, is tried again.
      console.error(`${(error as Error).message}\nTrying again in ${every} min.`);
    }
    await sleep(every * 60_000);
  }
});

/** One look and what follows from it. `over`: there is nothing more to watch. */
async function watchOnce({ stack, destroy, json }: Options): Promise<{ code: number; over: boolean }> {
  // What is left may be without an instance, and yet to be destroyed.
  if (ending !== undefined) return destroyed(ending);
  const seen = await look(stack);
  print(seen, json === true);
  await tellOfRun(seen.view, seen.status);
  await tellOfLimits(seen.view, seen);
  const due = seen.outcome === "limit" || seen.outcome === "ended";
  if (!due || destroy !== true) return { code: codes[seen.outcome], over: due };
  await stopFor(seen);
  return destroyed(seen.view.stack);
}

const codes: Readonly<Record<Verdict["outcome"], number>> = {
  within: exitCodes.ok,
  limit: exitCodes.limit,
  ended: exitCodes.ended,
  unreachable: exitCodes.unreachable,
};

/** Read anew each time: an `up` may have changed the limits, or replaced the instance. */
async function look(stack: string | undefined): Promise<Seen> {
  const view = await stackView(stack);
  if (view.instance === undefined) {
    throw new CommandError(`Stack ${view.stack} has no instance: nothing is billed.`, exitCodes.nothing);
  }
  const [instance, seen] = await Promise.all([instanceStatus(view), runStatus(view)]);
  const gone = sawGone(instance);
  const unreachable = seen !== undefined && "reason" in seen ? seen.reason : undefined;
  const status = seen !== undefined && "state" in seen ? seen : undefined;
  // What has ended costs no more.
  const limits = gone ? [] : limitsOf(view, status);
  return { view, status, gone, limits, ...judge({ status, unreachable, gone, limits }) };
}

function print({ view, status, gone, outcome, reason, lines }: Seen, json: boolean): void {
  const { launchedAt, priceCents = 0 } = view.instance ?? {};
  const cost = launchedAt === undefined || gone ? null : costSince(launchedAt, priceCents);
  const { stack } = view;
  const experiment = view.run?.experiment ?? null;
  const state = status?.state ?? (outcome === "unreachable" ? "unknown" : "none");
  if (json) {
    const report = { stack, experiment, run: state, costDollars: cost, outcome, reason: reason ?? null, notes: lines };
    console.log(JSON.stringify(report));
    return;
  }
  const what = { within: "within limits", limit: `over: ${reason}`, ended: "ended", unreachable: "unknown" }[outcome];
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
    // What keeps it from stopping keeps the destroy from terminating, which then says so.
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
