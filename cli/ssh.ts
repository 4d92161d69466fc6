import { loginText } from "../remote/command";
import { stackView } from "./stack/read";
import { requireInstance } from "./stack/stack-view";
import { runThere, thereHelp } from "./stack/there";
import { operatorCommand, run } from "./terminal/command";

const description = "Opens a shell on the instance, or runs a command in one. Like ssh, it joins the words by spaces.";

const command = operatorCommand("ssh", description)
  .argument("[command...]", "command to run instead")
  .passThroughOptions()
  .addHelpText("after", thereHelp);

run(async () => {
  command.parse();
  const { access } = requireInstance(await stackView(command.opts<{ stack?: string }>().stack));
  return runThere(access, () => loginText(command.args));
});
