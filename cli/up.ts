import { restartVariable } from "../plan/standing";
import { downVariable } from "../plan/when-done";
import { stackName } from "./stack/pulumi";
import { createStack, previewStack, upStack } from "./stack/up";
import { upThenDown } from "./stack/up-then-down";
import { operatorCommand, run } from "./terminal/command";

const command = operatorCommand(
  "up",
  "Starts or resumes the run, or applies changes: `pulumi up` with everything it needs.",
)
  .option("--preview-only", "show what would happen and what it would cost, and launch nothing")
  .option("--restart", "apply changes to a running run: stop it at a checkpoint, evaluate, download, start it again")
  .option("--down", "then wait until all runs have ended, and do what `down` does, without asking")
  .allowUnknownOption()
  .argument("[args...]", "more arguments for `pulumi up`");

run(async () => {
  command.parse();
  const options = command.opts<{ stack?: string; previewOnly?: boolean; restart?: boolean; down?: boolean }>();
  if (options.restart === true) process.env[restartVariable] = "yes";
  if (options.down === true) process.env[downVariable] = "yes";
  const stack = await stackName(options.stack);
  const created = (): Promise<void> => createStack(stack, options.stack === undefined);
  const { args } = command;
  if (options.previewOnly === true) return previewStack(stack, { created, args });
  return options.down === true ? upThenDown(stack, { created, args }) : upStack(stack, { created, args });
});
