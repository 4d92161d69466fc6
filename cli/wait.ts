import { ofEach } from "./stack/of-each";
import { type Choice, requireRuns, type StackView, type WithRun } from "./stack/stack-view";
import { waitForRun } from "./stack/wait-for-run";
import { viewWithTrial } from "./sweep/trials";
import { CommandError, choosingCommand, exitCodes, run, wholeNumber } from "./terminal/command";

const command = choosingCommand(
  "wait",
  "Waits until the run has ended, or all the stack's runs. Exits with 0 if it finished, with 1 if it failed, was stopped, or its end is in doubt.",
)
  .option("-t, --timeout <minutes>", "stop waiting after this time; the run continues", wholeNumber)
  .option("-q, --quiet", "print only how it ended")
  .option("--raw", "print every byte of the log as training wrote it");

interface Options extends Choice {
  readonly stack?: string;
  readonly timeout?: number;
  readonly quiet?: boolean;
  readonly raw?: boolean;
}

run(async () => {
  command.parse();
  const options = command.opts<Options>();
  const whole = await viewWithTrial(options.stack, options.run);
  const views = requireRuns(whole, options);
  const ended = await ofEach(
    views,
    (view) => waitForOne(view, whole, { ...options, several: views.length > 1 }),
    Number.POSITIVE_INFINITY,
  );
  return ended.every((isWell) => isWell) ? exitCodes.ok : exitCodes.failed;
});

/** @returns whether it has finished, without a doubt. */
async function waitForOne(
  view: WithRun,
  whole: StackView,
  { timeout, quiet, raw, several }: Options & { readonly several: boolean },
): Promise<boolean> {
  const signal = timeout === undefined ? undefined : AbortSignal.timeout(timeout * 60_000);
  const { isWell } = await waitForRun(view, { whole, quiet, raw, several, signal }).catch((error: unknown) => {
    if (signal?.aborted !== true) throw error;
    throw new CommandError(
      `${view.run.experiment} hasn't ended within ${timeout} minutes. It keeps running.`,
      exitCodes.timeout,
    );
  });
  return isWell;
}
