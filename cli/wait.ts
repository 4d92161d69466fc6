import { doubtText } from "../remote/run";
import { waitForEnd } from "../remote/waiting";
import { elsewhereLines } from "../remote/written";
import { tellOfRun } from "./notify/notify";
import { lookAtAccount, sawGone } from "./stack/look";
import { stackView } from "./stack/read";
import { type Choice, requireRun } from "./stack/stack-view";
import { CommandError, choosingCommand, exitCodes, run, wholeNumber } from "./terminal/command";
import { logOutput } from "./terminal/log-output";

const command = choosingCommand(
  "wait",
  "Waits until the run has ended. Exits with 0 if it finished, with 1 if it failed, was stopped, or its end is in doubt.",
)
  .option("-t, --timeout <minutes>", "stop waiting after this time; the run continues", wholeNumber)
  .option("-q, --quiet", "print only how it ended")
  .option("--raw", "print every byte of the log as training wrote it");

run(async () => {
  command.parse();
  const options = command.opts<Choice & { stack?: string; timeout?: number; quiet?: boolean; raw?: boolean }>();
  const whole = await stackView(options.stack);
  const view = requireRun(whole, options);
  const { access, run: plan } = view;
  const { experiment } = plan;
  const signal = options.timeout === undefined ? undefined : AbortSignal.timeout(options.timeout * 60_000);
  const output = options.quiet === true ? undefined : logOutput(options);
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
      `${experiment} hasn't ended within ${options.timeout} minutes. It keeps running.`,
      exitCodes.timeout,
    );
  });
  await output?.end();
  const { state, exitCode, detached } = status;
  const why = detached === undefined ? "" : `: training detached itself (${detached}) and was ended`;
  console.log(`${experiment}: ${state}${exitCode === undefined ? "" : ` (exit status ${exitCode})`}${why}`);
  const doubt = doubtText(status);
  if (doubt !== undefined) console.log(doubt);
  for (const line of elsewhereLines(status.writtenElsewhere)) console.log(line);
  await tellOfRun(view, status);
  return state === "finished" && doubt === undefined ? exitCodes.ok : exitCodes.failed;
});
