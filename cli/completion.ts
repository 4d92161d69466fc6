import { Argument } from "commander";
import { packageFolder, projectFolder } from "../local/paths";
import { exitCodes, plainCommand, run } from "./terminal/command";
import { type CompletedCommand, completionFor, type Shell, shells } from "./terminal/completion";
import { definedCommands } from "./terminal/definitions";

const description =
  "Prints shell completion, and a function `lambda-train` that runs every command from any folder. For bash, run " +
  "`npm run -s completion -- bash >~/.lambda-train.bash` and add `source ~/.lambda-train.bash` to ~/.bashrc.";

const command = plainCommand("completion", description).addArgument(
  new Argument("<shell>", "shell to complete in").choices(shells),
);

run(async () => {
  command.parse();
  process.stdout.write(
    completionFor(command.args[0] as Shell, await commands(), { project: projectFolder(), program: packageFolder() }),
  );
  return exitCodes.ok;
});

/** This module is already loaded, so loading its file again defines no command. */
async function commands(): Promise<CompletedCommand[]> {
  const all = [...(await definedCommands()), ["completion", command] as const];
  return all.map(([name, each]) => ({
    name,
    description: each.description(),
    options: [...each.options.flatMap(({ long }) => long ?? []), "--help"],
  }));
}
