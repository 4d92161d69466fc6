import { restartVariable } from "../plan/standing";
import { stackName } from "./stack/pulumi";
import { createStack, previewStack, upStack } from "./stack/up";
import { operatorCommand, run } from "./terminal/command";

const command = operatorCommand(
  "up",
  "Starts or resumes the run, or applies changes: `pulumi up` with everything it needs.",
)
  .option("--preview-only", "show what would happen and what it would cost, and launch nothing")
  .option("--restart", "apply changes to a running run: stop it at a checkpoint, evaluate, download, start it again")
  .allowUnknownOption()
  .argument("[args...]", "more arguments for `pulumi up`");

run(async () => {
  command.parse();
  const options = command.opts<{ stack?: string; previewOnly?: boolean; restart?: boolean }>();
  if (options.restart === true) process.env[restartVariable] = "yes";
  const stack = await stackName(options.stack);
  const created = (): Promise<void> => createStack(stack, options.stack === undefined);
  const { args } = command;
  return options.previewOnly === true ? previewStack(stack, { created, args }) : upStack(stack, { created, args });
});
