import { hasEnded, readStatus, startsAgain, stopRun } from "../remote/run";
import { SshError, withSession } from "../remote/session";
import type { RunStatus } from "../remote/types";
import { tellOfRuns } from "./notify/notify";
import { noteStatus } from "./stack/endings";
import { ofEach } from "./stack/of-each";
import { type Choice, jobsOf, requireRuns, type StackView, type WithRun } from "./stack/stack-view";
import { noteStopped, stopOthers, userReason } from "./stack/stopped";
import { viewWithTrial } from "./sweep/trials";
import { CommandError, choosingCommand, exitCodes, run } from "./terminal/command";

const command = choosingCommand(
  "stop",
  "Stops the run cleanly, with time for a checkpoint: all the stack's runs, or the chosen one. The instance stays, and keeps billing.",
);

run(async () => {
  command.parse();
  const { stack, ...choice } = command.opts<Choice & { stack?: string }>();
  const whole = await viewWithTrial(stack, choice.run);
  await ofEach(requireRuns(whole, choice), (view) => stopOne(view, whole));
  return exitCodes.ok;
});

async function stopOne(view: WithRun, whole: StackView): Promise<void> {
  const { access, run: plan } = view;
  const { experiment, graceSeconds } = plan;
  const before = await reaching(() => withSession(access, (session) => readStatus(session, experiment)));
  if (before.state === "absent") {
    throw new CommandError(`${experiment} was never started. \`npm run up\` starts it.`, exitCodes.nothing);
  }
  if (!hasEnded(before.state)) console.log(`${experiment}: stopping, up to ${graceSeconds} s for a checkpoint`);
  const status = await reaching(() => stopRun(access, { experiment }, { reason: userReason, graceSeconds }));
  if (view.isJob === true) {
    console.log(
      `${endText(status)}. \`npm run results -- --run ${experiment}\` downloads what it wrote, as does \`down\`.`,
    );
    return;
  }
  noteStatus(view, status);
  const training = await stopOthers(view, jobsOf(whole), console.error);
  if (!hasEnded(before.state)) await tellOfRuns(whole, [{ job: view, status }]);
  console.log(endText(status));
  await noteStopped(whole.stack, training, console.error);
  const ids = training.map(({ instance }) => instance.id);
  const billing = ids.length === 1 ? `Instance ${ids[0]} keeps` : `Instances ${ids.join(", ")} keep`;
  console.log(
    `${billing} billing. \`npm run up\` ${nextOf(status)}; \`npm run down\` downloads the results and ` +
      "ends the bill.",
  );
}

function endText({ experiment, state, exitCode, stopReason }: RunStatus): string {
  if (state === "evaluating") return `${experiment}: training has ended; its evaluation is still running`;
  const details = [exitCode === undefined ? "" : `exit status ${exitCode}`, stopReason ?? ""].filter(Boolean);
  return `${experiment}: ${state}${details.length === 0 ? "" : ` (${details.join(", ")})`}`;
}

function nextOf(status: RunStatus): string {
  if (startsAgain(status)) return "starts the run again";
  const changes = status.state === "stopped" ? "the limit is raised" : "its configuration has changed";
  return `starts ${status.state === "stopped" ? "the run again" : "another run"} if ${changes}`;
}

async function reaching<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const { kind } = error instanceof SshError ? error.facts : { kind: undefined };
    if (kind === undefined || kind === "exit") throw error;
    throw new CommandError((error as Error).message, exitCodes.unreachable);
  }
}
