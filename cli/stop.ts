import { hasEnded, readStatus, startsAgain, stopRun } from "../remote/run";
import { SshError, withSession } from "../remote/session";
import type { RunStatus } from "../remote/types";
import { tellOfRun } from "./notify/notify";
import { noteStatus } from "./stack/endings";
import { ofEach } from "./stack/of-each";
import { stackView } from "./stack/read";
import { type Choice, requireRuns, type WithRun } from "./stack/stack-view";
import { noteStopped } from "./stack/stopped";
import { withTrial } from "./sweep/trials";
import { CommandError, choosingCommand, exitCodes, run } from "./terminal/command";

const command = choosingCommand(
  "stop",
  "Stops the run cleanly, with time for a checkpoint: all the stack's runs, or the chosen one. The instance stays, and keeps billing.",
);

/** The reason as a stopped run's record keeps it. */
const reason = "user";

run(async () => {
  command.parse();
  const { stack, ...choice } = command.opts<Choice & { stack?: string }>();
  const views = requireRuns(await withTrial(await stackView(stack), choice.run), choice);
  await ofEach(views, stopOne);
  return exitCodes.ok;
});

async function stopOne(view: WithRun): Promise<void> {
  const { access, instance, run: plan } = view;
  const { experiment, graceSeconds } = plan;
  const before = await reaching(() => withSession(access, (session) => readStatus(session, experiment)));
  if (before.state === "absent") {
    throw new CommandError(`${experiment} was never started. \`npm run up\` starts it.`, exitCodes.nothing);
  }
  if (!hasEnded(before.state)) console.log(`${experiment}: stopping, up to ${graceSeconds} s for a checkpoint`);
  const status = await reaching(() => stopRun(access, { experiment }, { reason, graceSeconds }));
  noteStatus(view, status);
  if (!hasEnded(before.state)) await tellOfRun(view, status);
  console.log(endText(status));
  await noteStopped(view, console.error);
  console.log(
    `Instance ${instance.id} keeps billing. \`npm run up\` ${nextOf(status)}; \`npm run down\` downloads the results and ` +
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
