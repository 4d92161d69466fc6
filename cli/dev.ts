import { posix } from "node:path";
import { devCopy } from "../remote/copies";
import { requireCode } from "./beside/code";
import { gpusOption, gpuVariables, withVariables } from "./beside/gpus";
import { copyOf } from "./beside/jobs";
import { spentOn } from "./beside/start";
import { develop } from "./dev/develop";
import { Restarted } from "./dev/there";
import { stackView } from "./stack/read";
import { secretsFor } from "./stack/secrets";
import { type Choice, requireInstance } from "./stack/stack-view";
import { CommandError, choosingCommand, exitCodes, run } from "./terminal/command";
import { endWithReader } from "./terminal/output";

const command = choosingCommand(
  "dev",
  "Brings the code to the instance at each save, to a copy of the workspace, and starts the command there again, until " +
    "Ctrl-C. A run that goes on sees nothing of it. Without a command it only brings the code.",
)
  .option("--gpus <numbers>", "GPUs that the command sees, such as 0 or 2,3 (CUDA_VISIBLE_DEVICES)", gpusOption)
  .argument("[command...]", "command and its arguments; for pipes and several commands: bash -c '…'")
  .passThroughOptions()
  .addHelpText("after", "\nAlso: 10 if the budget is spent.");

/** For one that writes no checkpoint when it is asked to end, but cleans up. */
const mostGraceSeconds = 10;
/** The longest that a timer can wait: weeks. */
const longestMs = 2 ** 31 - 1;

run(async () => {
  command.parse();
  const { stack, gpus, ...choice } = command.opts<Choice & { stack?: string; gpus?: string }>();
  const whole = await stackView(stack);
  const view = requireCode(requireInstance(whole, choice, "run"));
  const { run: plan, workspace } = view;
  endWithReader();
  const ended = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.once(signal, () => ended.abort());
  const spentAt = spentOn(view, whole);
  const isSpent = (): boolean => spentAt !== undefined && Date.now() >= spentAt;
  const left = (spentAt ?? Number.POSITIVE_INFINITY) - Date.now();
  if (left <= longestMs) setTimeout(() => ended.abort(), Math.max(0, left)).unref();
  const words = withVariables(gpuVariables(gpus), command.args);
  const place = { folder: posix.join(devCopy(workspace), plan.directory), experiment: plan.experiment };
  const grace = Math.min(plan.graceSeconds, mostGraceSeconds);
  const restarted = new Restarted(words, { ...place, copy: copyOf(workspace) }, grace);
  await develop({
    view,
    ...(command.args.length > 0 && { command: restarted }),
    secrets: await secretsFor(whole.stack, plan),
    signal: ended.signal,
  });
  if (isSpent())
    throw new CommandError(
      "The budget of this instance is spent, so the command was ended. `npm run down` downloads what it wrote and ends the bill.",
      exitCodes.limit,
    );
  return exitCodes.ok;
});
