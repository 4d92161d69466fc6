import { type DestroyOptions, destroyStack } from "./stack/destroy";
import { stackName } from "./stack/pulumi";
import { operatorCommand, run } from "./terminal/command";

const command = operatorCommand(
  "down",
  "Stops the run, evaluates, downloads the results and terminates: `pulumi destroy` with everything it needs.",
)
  .option("--lose-results", "terminate even if the results can't be downloaded: they are lost for good")
  .option("--run <name>", "run whose results --lose-results gives up, if the stack has several")
  .option(
    "--delete-file-system <name>",
    "also delete the stack's file system, with all that it holds (default: it is kept)",
  )
  .option("--keep-cloud", "keep the emulated cloud running")
  .allowUnknownOption()
  .argument("[args...]", "more arguments for `pulumi destroy`");

run(async () => {
  command.parse();
  const { stack, ...options } = command.opts<DestroyOptions & { stack?: string }>();
  return destroyStack(await stackName(stack), { ...options, args: command.args });
});
