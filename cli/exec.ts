import { posix } from "node:path";
import { commandIn } from "../remote/command";
import { shellQuote } from "../remote/quote";
import { bringSecretsOnce } from "../remote/secrets";
import { secretsFor } from "./stack/secrets";
import { type Choice, requireInstance } from "./stack/stack-view";
import { runThere, thereHelp } from "./stack/there";
import { viewWithTrial } from "./sweep/trials";
import { CommandError, choosingCommand, exitCodes, run } from "./terminal/command";

const description =
  "Runs a command on the instance, in the workload's folder, with training's environment and variables. Passes on words, " +
  "standard input, exit code and signals. For pipes and several commands: `-- bash -c '…'`.";

/** Exit code of a command that does not exist, as shells have it. */
const notFound = 127;

const command = choosingCommand("exec", description)
  .option("--home", "run in the home folder instead, with the same environment")
  .argument("<command...>", "command and its arguments")
  .passThroughOptions()
  .addHelpText("after", thereHelp);

run(async () => {
  command.parse();
  const { stack, home, ...choice } = command.opts<Choice & { stack?: string; home?: boolean }>();
  const view = await viewWithTrial(stack, choice.run);
  const { access, workspace, run: plan, stack: name } = requireInstance(view, choice, "run");
  if (home !== true && workspace === undefined) {
    throw new CommandError(
      "The workload isn't on the instance yet. Use --home to run in the home folder.",
      exitCodes.nothing,
    );
  }
  const folder = home === true ? "" : posix.join(workspace ?? "", plan?.directory ?? "");
  const place = { folder, experiment: plan?.experiment ?? "" };
  const values = await secretsFor(name, plan);
  const code = await runThere(access, async (session) => {
    const secrets = await bringSecretsOnce(session, values);
    return commandIn(session, { ...place, secrets }, command.args);
  });
  const [word = ""] = command.args;
  if (code === notFound && /[\s|&;<>]/.test(word)) {
    console.error(
      `\`exec\` runs its words as they are, without a shell: \`${word}\` would be the name of one program. ` +
        `For a shell's line: npm run exec -- bash -c ${shellQuote(word)}`,
    );
  }
  return code;
});
