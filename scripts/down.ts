import { connectCloud } from "../components/lambda/api/connect";
import { isEnding } from "../components/lambda/api/schemas";
import { ensureCloud, stopCloud } from "../emulator/control";
import { localFolder } from "../plan/paths";
import { loseResultsVariable } from "../remote/results";
import { operatorCommand, run } from "./lib/command";
import { clearStaleLock, isEmulated, pulumi, stackConfig, stackName } from "./lib/pulumi";
import { stackView } from "./lib/stack-view";

const command = operatorCommand("down", "`pulumi destroy`: stop the run, bring the results home, terminate.")
  .option("--lose-results", "terminate even if the results cannot be brought home: they are lost for good")
  .option("--keep-cloud", "leave the emulated cloud running")
  .allowUnknownOption()
  .argument("[args...]", "further arguments of `pulumi destroy`");

run(async () => {
  command.parse();
  const options = command.opts<{ stack?: string; loseResults?: boolean; keepCloud?: boolean }>();
  const stack = await stackName(options.stack);
  const emulated = isEmulated(await stackConfig(stack));
  await clearStaleLock(stack);
  if (emulated) await ensureCloud(localFolder());
  if (options.loseResults === true) process.env[loseResultsVariable] = (await stackView(stack)).run?.experiment;
  const unasked = emulated ? ["--yes", "--skip-preview"] : [];
  const code = await pulumi(["destroy", "--stack", stack, ...unasked, ...command.args]);
  if (code === 0 && emulated && options.keepCloud !== true && (await isIdle())) await stopCloud(localFolder());
  return code;
});

/** Whether no other stack has an instance on the emulated cloud. */
async function isIdle(): Promise<boolean> {
  const instances = await connectCloud("emulated").client.listInstances();
  return instances.every(({ status }) => isEnding(status));
}
