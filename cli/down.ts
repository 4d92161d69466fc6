import { destroyStack } from "./stack/destroy";
import { stackName } from "./stack/pulumi";
import { operatorCommand, run } from "./terminal/command";

const command = operatorCommand("down", "`pulumi destroy`: stop the run, bring the results home, terminate.")
  .option("--lose-results", "terminate even if the results cannot be brought home: they are lost for good")
  .option("--keep-cloud", "leave the emulated cloud running")
  .allowUnknownOption()
  .argument("[args...]", "further arguments of `pulumi destroy`");

run(async () => {
  command.parse();
  const { stack, loseResults, keepCloud } = command.opts<{
    stack?: string;
    loseResults?: boolean;
    keepCloud?: boolean;
  }>();
  return destroyStack(await stackName(stack), { loseResults, keepCloud, args: command.args });
});
