import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Argument } from "commander";
import { projectFolder } from "../local/paths";
import { definitionsIn, exitCodes, plainCommand, run } from "./terminal/command";
import { type CompletedCommand, completionFor, type Shell, shells } from "./terminal/completion";

const description =
  "Prints shell completion, and a function `lambda-train` that runs the commands from any folder. For bash: " +
  "npm run -s completion -- bash >~/.lambda-train.bash, and `source ~/.lambda-train.bash` in ~/.bashrc.";

const command = plainCommand("completion", description).addArgument(
  new Argument("<shell>", "whose completion").choices(shells),
);

run(async () => {
  command.parse();
  process.stdout.write(completionFor(command.args[0] as Shell, commands(), projectFolder()));
  return exitCodes.ok;
});

/** The commands as their own files define them. */
function commands(): CompletedCommand[] {
  const names = readdirSync(__dirname).flatMap((file) => /^([a-z-]+)\.(?:js|ts)$/.exec(file)?.[1] ?? []);
  const loaded = names
    .filter(isDefined)
    .flatMap((name) => definitionsIn(() => require(join(__dirname, name))).map((each) => [name, each] as const));
  return [...loaded, ["completion", command] as const].map(([name, each]) => ({
    name,
    description: each.description(),
    options: [...each.options.flatMap(({ long }) => long ?? []), "--help"],
  }));
}

/** Whether a file defines its command so that it can be loaded without running; this one is loaded already. */
function isDefined(name: string): boolean {
  if (name === "completion") return false;
  const text = readFileSync(join(projectFolder(), "cli", `${name}.ts`), "utf8");
  return /= (?:operator|plain)Command\(/.test(text) && /^run\(/m.test(text);
}
