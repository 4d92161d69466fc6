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
}

run(async () => {
  command.parse();
  const { stack, every, destroy, json } = command.opts<Options>();
  for (;;) {
    const seen = await look(stack);
    print(seen, json === true);
    await tellOfRun(seen.view, seen.status);
    await tellOfLimits(seen.view, seen);
    if (seen.outcome === "limit" || seen.outcome === "ended") return destroy === true ? end(seen) : codes[seen.outcome];
    if (every === undefined) return codes[seen.outcome];
    await sleep(every * 60_000);
  }
});

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
  const limits = limitsOf(view, status);
  return { view, status, limits, ...judge({ status, unreachable, gone, limits }) };
}

function print({ view, status, outcome, reason, lines }: Seen, json: boolean): void {
  const { launchedAt, priceCents = 0 } = view.instance ?? {};
  const cost = launchedAt === undefined ? 0 : costSince(launchedAt, priceCents);
  const { stack } = view;
  const experiment = view.run?.experiment ?? null;
  const state = status?.state ?? (outcome === "unreachable" ? "unknown" : "none");
  if (json) {
    const report = { stack, experiment, run: state, costDollars: cost, outcome, reason: reason ?? null, notes: lines };
    console.log(JSON.stringify(report));
    return;
  }
  const what = { within: "within limits", limit: `over: ${reason}`, ended: "ended", unreachable: "unknown" }[outcome];
  console.log(`${stack}  ${experiment ?? "no run"}  ${state}  $${cost.toFixed(2)} so far  ${what}`);
  for (const line of lines) console.log(`  ${line}`);
}

/** Ends the stack: the run as its own limits on the instance would, then everything. */
async function end({ view, status, reason }: Seen): Promise<number> {
  const { access, run: plan, stack } = view;
  const going = status?.state === "starting" || status?.state === "running";
  if (reason !== undefined && going && access !== undefined && plan !== undefined) {
    const { experiment, graceSeconds } = plan;
    // What keeps it from stopping keeps the destroy from terminating, which then says so.
    await stopRun(access, { experiment }, { reason, graceSeconds }).catch((error: Error) =>
      console.error(error.message),
    );
  }
  const code = await destroyStack(stack, { unasked: true });
  return code === 0 ? exitCodes.ok : exitCodes.failed;
}
