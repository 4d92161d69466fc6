import { setTimeout as sleep } from "node:timers/promises";
import { RunError } from "../../remote/run";
import { isRetryable } from "../../remote/session";
import { CommandError, exitCodes } from "../terminal/command";
import { destroyStack } from "./destroy";
import { isDone } from "./done";
import { runStatus } from "./look";
import { ofEach } from "./of-each";
import { isProtectConfigured } from "./protection";
import { readView, stackView } from "./read";
import { requireRuns, type WithRun } from "./stack-view";
import { type UpOptions, upStack } from "./up";
import { waitForRun } from "./wait-for-run";

/** Between two tries to reach an instance that nobody has reached for half an hour. */
const retryMs = 10_000;

/** How a run ended. `kept`: somebody stopped it by hand, and may go on with its instance. */
type Outcome = "finished" | "failed" | "kept";

/**
 * `pulumi up`, a wait for the end of all runs, and then what `down` does. Gives the exit code: 1 if a run failed or the results
 * couldn't be downloaded. An interruption leaves everything running.
 * @throws CommandError where the stack's file protects what it would have to end
 */
export async function upThenDown(stack: string, options: UpOptions): Promise<number> {
  if (isProtectConfigured(stack)) {
    throw new CommandError(
      `Nothing was started: \`up --down\` ends the instances of ${stack}, and \`lambda-train:protect\` is true and keeps ` +
        "them. Leave out --down, or set the key to false.",
      exitCodes.usage,
    );
  }
  const interruption = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => interruption.abort());
  const { signal } = interruption;
  let outcome: Outcome | number = await upAndWait(stack, options, signal);
  // Another up applies what waited for the end of the run.
  if (isEnd(outcome) && !signal.aborted && (await hasWaiting(stack))) {
    console.error("The changes that waited for the end of the run are applied now.");
    outcome = await upAndWait(stack, options, signal);
  }
  if (typeof outcome === "number") return outcome;
  if (signal.aborted) return left(stack);
  if (outcome === "kept") {
    console.error("The run was stopped by hand, so its instance stays and keeps billing. `npm run down` ends it.");
    return exitCodes.failed;
  }
  const ended = await destroyStack(stack, { unasked: true, isWanted: () => !signal.aborted });
  if (ended !== 0) return ended;
  return outcome === "finished" ? exitCodes.ok : exitCodes.failed;
}

/** Brings the stack up and waits for the end of its runs. Gives how they ended, or the exit code where they didn't. */
async function upAndWait(stack: string, options: UpOptions, signal: AbortSignal): Promise<Outcome | number> {
  const begun = Date.now();
  const code = await upStack(stack, options);
  if (signal.aborted) return code === 0 ? left(stack) : code;
  if (code === 0) return worstOf(await ends(stack, signal));
  if (await failedSince(stack, begun)) return "failed";
  console.error(
    "`up` failed, so nothing ends by itself. `npm run up -- --down` goes on from here; `npm run down` ends it.",
  );
  return code;
}

function isEnd(outcome: Outcome | number): boolean {
  return outcome === "finished" || outcome === "failed";
}

function worstOf(outcomes: readonly Outcome[]): Outcome {
  return (["kept", "failed"] as const).find((each) => outcomes.includes(each)) ?? "finished";
}

/** Whether a part of the last `up` waits for the end of a run. */
async function hasWaiting(stack: string): Promise<boolean> {
  return (await readView(stack)).machines.some(({ waits }) => waits !== undefined);
}

/** What an interruption leaves. @returns the exit code of a command that Ctrl-C has ended */
function left(stack: string): number {
  console.error(
    `\nEverything of ${stack} keeps running and billing. \`npm run up -- --stack ${stack} --down\` waits again, ` +
      `\`npm run down -- --stack ${stack}\` ends it now.`,
  );
  return 130;
}

/** Whether runs of the stack have all ended since then: `up` fails if training fails before its first step. */
async function failedSince(stack: string, begun: number): Promise<boolean> {
  try {
    const runs = requireRuns(await stackView(stack), {});
    const statuses = await ofEach(runs, runStatus);
    return statuses.every((status) => {
      if (status === undefined || !("state" in status) || !isDone(status)) return false;
      const ago = status.now * 1000 - Date.parse(status.endedAt ?? "");
      return ago <= Date.now() - begun;
    });
  } catch (error) {
    if (error instanceof CommandError) return false;
    throw error;
  }
}

async function ends(stack: string, signal: AbortSignal): Promise<readonly Outcome[]> {
  const runs = requireRuns(await stackView(stack), {});
  const waiting = (run: WithRun): Promise<Outcome> => endOf(run, runs.length > 1, signal);
  return ofEach(runs, waiting, Number.POSITIVE_INFINITY).catch((error: unknown) => {
    if (signal.aborted) return [];
    throw error;
  });
}

/** Waits for one run, however long its instance can't be reached. An instance that is gone is an end as well. */
async function endOf(run: WithRun, several: boolean, signal: AbortSignal): Promise<Outcome> {
  for (;;) {
    try {
      // Each time: this machine's address may be another one now, which the firewall doesn't know.
      const whole = await stackView(run.stack);
      const { status, isWell } = await waitForRun(run, { whole, several, signal });
      if (!isDone(status)) return "kept";
      return isWell ? "finished" : "failed";
    } catch (error) {
      signal.throwIfAborted();
      const isGone = error instanceof RunError && error.facts.kind === "gone";
      if (!isGone && !isRetryable(error)) throw error;
      console.error((error as Error).message);
      if (isGone) return "failed";
      await sleep(retryMs, undefined, { signal });
    }
  }
}
