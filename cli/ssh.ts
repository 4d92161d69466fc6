import { loginText } from "../remote/command";
import { stackView } from "./stack/read";
import { requireInstance } from "./stack/stack-view";
import { runThere, thereHelp } from "./stack/there";
import { operatorCommand, run } from "./terminal/command";

const description =
  "A shell on the instance, or a command that a shell there runs, its words joined by spaces as ssh does it.";

const command = operatorCommand("ssh", description)
  .argument("[command...]", "command to run instead of a shell")
  .passThroughOptions()
  .addHelpText("after", thereHelp);

run(async () => {
  command.parse();
  const { access } = requireInstance(await stackView(command.opts<{ stack?: string }>().stack));
  return runThere(access, () => loginText(command.args));
});
