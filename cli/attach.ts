import { shellQuote } from "../remote/quote";
import { readStatus } from "../remote/run";
import { tmuxSession } from "../remote/scripts";
import { SshSession } from "../remote/session";
import { type Choice, requireRun } from "./stack/stack-view";
import { viewWithTrial } from "./sweep/trials";
import { CommandError, choosingCommand, exitCodes, run } from "./terminal/command";

const command = choosingCommand(
  "attach",
  "Opens the run's tmux session in this terminal. Leave it with Ctrl-b d; the run continues.",
);

run(async () => {
  command.parse();
  const options = command.opts<Choice & { stack?: string }>();
  const view = requireRun(await viewWithTrial(options.stack, options.run), options);
  if (!process.stdin.isTTY)
    throw new CommandError("attach needs a terminal; `npm run logs` follows the run without one.", exitCodes.usage);
  const session = await SshSession.connect(view.access);
  try {
    // A run that has lost its supervisor gets another, with a session of its own.
    await readStatus(session, view.run.experiment);
    const name = shellQuote(`=${tmuxSession(view.run.experiment)}`);
    const { code } = await session.exec(`tmux has-session -t ${name}`);
    if (code !== 0)
      throw new CommandError(
        "The run has ended, and its tmux session with it. `npm run logs` shows its log.",
        exitCodes.nothing,
      );
    return (await session.attach(`tmux attach-session -t ${name}`)).code;
  } finally {
    session.close();
  }
});
