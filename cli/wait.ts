import { doubtText } from "../remote/run";
import { waitForEnd } from "../remote/waiting";
import { elsewhereLines } from "../remote/written";
import { tellOfRuns } from "./notify/notify";
import { lookAtAccount, sawGone } from "./stack/look";
import { ofEach } from "./stack/of-each";
import { type Choice, requireRuns, type StackView, type WithRun } from "./stack/stack-view";
import { viewWithTrial } from "./sweep/trials";
import { CommandError, choosingCommand, exitCodes, run, wholeNumber } from "./terminal/command";
import { logOutput } from "./terminal/log-output";

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
  const { access, run: plan } = view;
  const { experiment } = plan;
  const signal = timeout === undefined ? undefined : AbortSignal.timeout(timeout * 60_000);
  // Several logs at once would be none.
  const output = quiet === true || several ? undefined : logOutput({ raw });
  const status = await waitForEnd(
    access,
    { experiment },
    {
      onChunk: output?.take,
      isGone: async () => sawGone(await lookAtAccount(whole), view),
      signal,
    },
  ).catch((error: unknown) => {
    if (signal?.aborted !== true) throw error;
    throw new CommandError(
      `${experiment} hasn't ended within ${timeout} minutes. It keeps running.`,
      exitCodes.timeout,
    );
  });
  await output?.end();
  const { state, exitCode, detached } = status;
  const why = detached === undefined ? "" : `: training detached itself (${detached}) and was ended`;
  const at = several ? ` on ${view.machine}` : "";
  console.log(`${experiment}${at}: ${state}${exitCode === undefined ? "" : ` (exit status ${exitCode})`}${why}`);
  const doubt = doubtText(status);
  if (doubt !== undefined) console.log(doubt);
  for (const line of elsewhereLines(status.writtenElsewhere)) console.log(line);
  await tellOfRuns(whole, [{ job: view, status }]);
  return state === "finished" && doubt === undefined;
}
