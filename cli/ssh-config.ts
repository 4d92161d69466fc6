import { stackName } from "./stack/pulumi";
import { stackView } from "./stack/read";
import {
  aliasesOf,
  defaultAlias,
  includeLine,
  install,
  isIncluded,
  removeSshFiles,
  writeSshFiles,
} from "./stack/ssh-files";
import { type Choice, requireInstance } from "./stack/stack-view";
import { CommandError, choosingCommand, exitCodes, run } from "./terminal/command";

const description =
  "Makes the stack a host of OpenSSH, so that `ssh <stack>`, scp, rsync and VS Code's Remote-SSH work, with the host key " +
  "pinned. Stores the login key in ~/.ssh/lambda-train, readable by you alone. `up` updates the files, `down` removes them.";

const command = choosingCommand("ssh-config", description)
  .option("--alias <name>", "host name (default: the stack's name)")
  .option("--install", "add the line that includes the files to ~/.ssh/config")
  .option("--remove", "remove the stack's files");

run(async () => {
  command.parse();
  const options = command.opts<Choice & { stack?: string; alias?: string; install?: boolean; remove?: boolean }>();
  const stack = await stackName(options.stack);
  if (options.remove === true) return remove(stack);
  const view = await stackView(stack);
  if (view.machines.every(({ instance }) => instance === undefined)) removeSshFiles(stack);
  const { machine, access } = requireInstance(view, options);
  const known = aliasesOf(stack, machine);
  const chosen = options.alias ?? defaultAlias(stack, machine);
  const aliases = options.alias === undefined && known.length > 0 ? known : [chosen];
  for (const alias of aliases) writeSshFiles(stack, machine, alias, access);
  if (options.install === true) install();
  if (isIncluded()) {
    console.log(`ssh ${aliases[0]}`);
  } else {
    console.log("Add this as the first line of ~/.ssh/config, or use --install:");
    console.log(`  ${includeLine()}`);
    console.log(`Then: ssh ${aliases[0]}`);
  }
  return exitCodes.ok;
});

function remove(stack: string): number {
  const removed = removeSshFiles(stack);
  if (removed.length === 0) throw new CommandError(`Stack ${stack} has no files here.`, exitCodes.nothing);
  console.log(`Removed: ${removed.join(", ")}`);
  return exitCodes.ok;
}
