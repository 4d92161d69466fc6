import { posix } from "node:path";
import { commandIn } from "../remote/command";
import { codeNow, devCopy, syncCopy } from "../remote/copies";
import { shellQuote } from "../remote/quote";
import { bringSecretsOnce } from "../remote/secrets";
import { requireCode, sentText } from "./beside/code";
import { gpusOption, gpuVariables, withVariables } from "./beside/gpus";
import { copyOf } from "./beside/jobs";
import { startBeside } from "./beside/start";
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
  .option("--sync", "bring the code as it is here first, to a copy of the workspace, and run in that: no run sees it")
  .option("-d, --detach <name>", "start it as a job: on a copy of its own with the code as it is here, until it ends")
  .option("--gpus <numbers>", "GPUs that the command sees, such as 0 or 2,3 (CUDA_VISIBLE_DEVICES)", gpusOption)
  .argument("<command...>", "command and its arguments")
  .passThroughOptions()
  .addHelpText("after", thereHelp);

interface Options extends Choice {
  readonly stack?: string;
  readonly home?: boolean;
  readonly sync?: boolean;
  readonly detach?: string;
  readonly gpus?: string;
}

run(async () => {
  command.parse();
  const { stack, home, sync, detach, gpus, ...choice } = command.opts<Options>();
  if (home === true && (sync === true || detach !== undefined))
    command.error("error: --home goes with neither --sync nor --detach, which run in the workload's folder");
  const whole = await viewWithTrial(stack, choice.run);
  const view = requireInstance(whole, choice, "run");
  const variables = gpuVariables(gpus);
  if (detach !== undefined) {
    await startBeside(requireCode(view), whole, { name: detach, words: command.args, variables });
    return exitCodes.ok;
  }
  const { access, workspace, run: plan, stack: name } = view;
  if (home !== true && workspace === undefined) {
    throw new CommandError(
      "The workload isn't on the instance yet. Use --home to run in the home folder.",
      exitCodes.nothing,
    );
  }
  const synced = sync === true ? requireCode(view) : undefined;
  const root = synced === undefined ? workspace : devCopy(synced.workspace);
  const folder = home === true ? "" : posix.join(root ?? "", plan?.directory ?? "");
  const place = {
    folder,
    experiment: plan?.experiment ?? "",
    ...(synced && { copy: copyOf(synced.workspace) }),
  };
  const values = await secretsFor(name, plan);
  const code = await runThere(access, async (session) => {
    if (synced !== undefined) {
      const { code, run, workspace: own } = synced;
      const copy = { folder: devCopy(own), outputs: run.outputs };
      console.error(`~/${copy.folder}: ${sentText(await syncCopy(session, code, await codeNow(code), copy))}`);
    }
    const secrets = await bringSecretsOnce(session, values);
    return commandIn(session, { ...place, secrets }, withVariables(variables, command.args));
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
