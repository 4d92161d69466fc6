import { setTimeout as sleep } from "node:timers/promises";
import { stopRun } from "../remote/run";
import { tellOfLimits, tellOfMaintenance, tellOfRuns } from "./notify/notify";
import { bringHomeBeforeMaintenance } from "./results/before-maintenance";
import { bringNewCheckpointsHome } from "./results/new-checkpoints";
import { bringTrialsHome } from "./results/trials";
import { currentState } from "./stack/backups";
import { destroyStack } from "./stack/destroy";
import { isDueByItself } from "./stack/done";
import { lookIntoBuckets } from "./stack/in-bucket";
import { isWorkedOn } from "./stack/killed-cli";
import type { Verdict } from "./stack/limits";
import { lookAtAccount, runStatus } from "./stack/look";
import { sideBySide } from "./stack/of-each";
import { refuseProtected } from "./stack/protection";
import { stackName } from "./stack/pulumi";
import { stackView } from "./stack/read";
import { mostRepairs, Repairs } from "./stack/repair";
import { endingOf, type Seen, type SeenJob, seenOf, toldOf } from "./stack/seen";
import { jobsOf } from "./stack/stack-view";
import { CommandError, exitCodes, operatorCommand, run, wholeNumber } from "./terminal/command";
import { printJson } from "./terminal/output";
import { installWatch, uninstallWatch } from "./watching/install";
import { noting } from "./watching/last-look";

const description =
  "Checks cost, time and idleness against the stack's limits, once: for cron, systemd and CI. Downloads the results " +
  "before Lambda maintains the instance, those of a sweep's trials when they have ended, and with `checkpoints.sync: home` " +
  "whenever there is a new checkpoint. With --repair, it does what `up` does when a machine is lost. With --destroy, it " +
  "does what `down` does when a limit is reached or the run has ended; with `train.whenDone: down` also without --destroy, " +
  "when all runs have ended. --install lets this machine do it every few minutes.";

const command = operatorCommand("watch", description)
  .option("--every <minutes>", "check again and again, until a limit is reached or the run has ended", wholeNumber)
  .option("--destroy", "then stop the run, download its results and terminate, without asking")
  .option("--repair", `when a machine is lost, bring it up again without asking, at most ${mostRepairs} times in a row`)
  .option("--install", "let systemd or cron check every 5 minutes (or --every), with the same options")
  .option("--uninstall", "undo that")
  .option("--json", "print one JSON object per check, and per run if there are several")
  .addHelpText(
    "after",
    "\nAlso: 0 within all limits (with --destroy: or terminated; with --repair: or brought up again), 1 an instance is billed that the state doesn't know, " +
      "10 limit reached, 11 run ended.",
  );

interface Options {
  readonly stack?: string;
  readonly every?: number;
  readonly destroy?: boolean;
  readonly repair?: boolean;
  readonly install?: boolean;
  readonly uninstall?: boolean;
  readonly json?: boolean;
}

/** A destroy that has begun and not ended well. */
let ending: readonly [stack: string, args: readonly string[]] | undefined;

/** Whether somebody wanted to end while a destroy or a repair went on: the engine hears of it by itself, and the watching is over. */
let isInterrupted = false;

run(async () => {
  command.parse();
  const options = command.opts<Options>();
  const { every, install, uninstall } = options;
  if (install === true && uninstall === true) command.error("error: use either --install or --uninstall");
  if (install === true) return installWatch(await stackName(options.stack), options);
  if (uninstall === true) return uninstallWatch(await stackName(options.stack));
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

/** One look, noted for `doctor`. */
async function watchOnce(options: Options): Promise<{ code: number; over: boolean }> {
  const stack = await stackName(options.stack);
  return noting(stack, () => lookOnce({ ...options, stack }));
}

/** One look and what follows from it. `over`: there is nothing more to watch. */
async function lookOnce({
  stack,
  destroy,
  repair,
  json,
  every = 0,
}: Options): Promise<{ code: number; over: boolean }> {
  // The instance may be gone while other resources remain to be destroyed.
  if (ending !== undefined) return destroyed(...ending);
  const repairs = repair === true ? new Repairs(await stackName(stack)) : undefined;
  const again = await uninterrupted(async () => repairs?.again());
  if (again !== undefined) return repaired(again);
  const seen = await look(stack);
  print(seen, json === true);
  await tellOfRuns(seen.view, seen.jobs);
  await tellOfLimits(seen.jobs);
  await tellOfMaintenance(seen.jobs, seen.now);
  const { view } = seen;
  const { due, args, isStray } = endingOf(seen);
  // A destroy downloads by itself.
  const staying = destroy === true ? seen.jobs.filter((each) => !due.includes(each)) : seen.jobs;
  await bringHomeBeforeMaintenance(staying, every * 60, seen.now);
  await bringTrialsHome(staying);
  await bringNewCheckpointsHome(staying);
  const isUp = await uninterrupted(async () => repairs?.after(seen));
  if (isUp !== undefined) return repaired(isUp);
  // A stray is no end of the watching: an `up` may adopt it, and train.
  const over = due.length > 0 && args.length === 0 && !isStray;
  if (destroy !== true && (await isDueByItself(seen))) return destroyed(view.stack, []);
  if (destroy !== true || due.length === 0) return { code: codes[seen.outcome], over };
  if (isStray) return strayDestroyed(view.stack, args);
  // Before the run is stopped: a protected one keeps running.
  const kept = staying.map(({ job }) => job.instance?.id);
  refuseProtected(view.stack, await currentState(view.stack), kept);
  for (const each of due) await stopFor(each);
  return destroyed(view.stack, args);
}

/**
 * Terminates what a killed `up` launched. While another command works on the stack, the launch may be that command's, so
 * this does nothing.
 */
async function strayDestroyed(stack: string, args: readonly string[]): Promise<{ code: number; over: boolean }> {
  if (await isWorkedOn(stack)) {
    console.error(`Another command is working on ${stack} and may adopt the instance, so nothing was terminated.`);
    return { code: codes.stray, over: false };
  }
  try {
    return await destroyed(stack, args);
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
  const all = jobsOf(view);
  const [account, ...statuses] = await Promise.all([lookAtAccount(view), ...sideBySide(all, runStatus)]);
  await lookIntoBuckets(view, account);
  return seenOf(view, account, statuses);
}

function print({ jobs, cost }: Seen, json: boolean): void {
  for (const told of jobs.map((seen) => toldOf(seen, cost))) {
    if (json) printJson(told.json, 0);
    else for (const line of told.lines) console.log(line);
  }
}

/** Stops the run as its own limits on the instance would. */
async function stopFor({ job: { access, run: plan }, status, reason }: SeenJob): Promise<void> {
  const going = status?.state === "starting" || status?.state === "running";
  if (reason !== undefined && going && access !== undefined && plan !== undefined) {
    const { experiment, graceSeconds } = plan;
    // Whatever prevents the stop also prevents the termination, and the destroy then says so.
    await stopRun(access, { experiment }, { reason, graceSeconds }).catch((error: Error) =>
      console.error(error.message),
    );
  }
}

/** @param args Those of `pulumi destroy`, where only a part of the stack is to end. */
async function destroyed(stack: string, args: readonly string[]): Promise<{ code: number; over: boolean }> {
  ending = [stack, args];
  const code = await uninterrupted(() => destroyStack(stack, { unasked: true, args, isWanted: () => !isInterrupted }));
  if (code === 0) ending = undefined;
  return { code: code === 0 ? exitCodes.ok : exitCodes.failed, over: code === 0 && args.length === 0 };
}

function repaired(isUp: boolean): { code: number; over: boolean } {
  return { code: isUp ? exitCodes.ok : exitCodes.failed, over: false };
}

/** What the engine ends by itself when it is interrupted. */
async function uninterrupted<T>(work: () => Promise<T>): Promise<T> {
  const signals = ["SIGINT", "SIGTERM"] as const;
  for (const signal of signals) process.on(signal, noteInterruption);
  try {
    return await work();
  } finally {
    for (const signal of signals) process.off(signal, noteInterruption);
  }
}

function noteInterruption(): void {
  isInterrupted = true;
}
