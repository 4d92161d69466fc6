import { loginText } from "../remote/command";
import { stackView } from "./stack/read";
import { type Choice, requireInstance } from "./stack/stack-view";
import { runThere, thereHelp } from "./stack/there";
import { choosingCommand, run } from "./terminal/command";

const description =
  "Opens a shell on the instance with the workload's environment, or runs a command in one. Like ssh, it joins the words by spaces.";

const command = choosingCommand("ssh", description)
  .argument("[command...]", "command to run instead")
  .passThroughOptions()
  .addHelpText("after", thereHelp);

run(async () => {
  command.parse();
  const { stack, ...choice } = command.opts<Choice & { stack?: string }>();
  const { access } = requireInstance(await stackView(stack), choice);
  return runThere(access, () => loginText(command.args));
});
