import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { createInterface } from "node:readline/promises";
import { packageFolder, projectFolder } from "../local/paths";
import { experimentsFolder } from "../plan/found/project-files";
import { newExperiment } from "../plan/new-experiment";
import { PlanError } from "../plan/problems";
import { CommandError, exitCodes, plainCommand, run } from "./terminal/command";

const command = plainCommand(
  "new-experiment",
  "Writes configs/<name>.yaml from another experiment file, and keeps its comments. In a terminal, asks for missing options. " +
    "A project of your own has them in lambda-train/.",
)
  .option("-n, --name <name>", "name of the experiment")
  .option("--from <file>", "experiment file to start from", "configs/hmer-ink.yaml")
  .option("--workload <source>", "another workload: folder or git URL")
  .option("--dataset <source>", "another dataset: folder, archive, https URL or lambda-fs://…")
  .option(
    "--set <path=value>",
    "set a key, as train.overrides.lr=0.001; repeat for more",
    (each: string, all: string[]) => [...all, each],
    [],
  );

interface Options {
  readonly name?: string;
  readonly from: string;
  readonly workload?: string;
  readonly dataset?: string;
  readonly set: readonly string[];
}

run(async () => {
  command.parse();
  const given = command.opts<Options>();
  const isClone = packageFolder() === projectFolder();
  const folder = isClone ? "configs" : experimentsFolder;
  const { name, from, workload, dataset, set } = await completed(
    isClone || command.getOptionValueSource("from") === "cli" ? given : { ...given, from: firstIn(folder) },
  );
  if (!existsSync(from)) throw new CommandError(`There is no experiment file ${from}.`, exitCodes.usage);
  const file = join(projectFolder(), folder, `${name}.yaml`);
  const shown = relative(projectFolder(), file);
  let text: string;
  try {
    text = newExperiment(readFileSync(from, "utf8"), { name, workload, dataset, set }, shown);
    writeFileSync(file, text, { flag: "wx" });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") {
      throw new CommandError(`${shown} already exists. Choose another name.`, exitCodes.usage);
    }
    throw error instanceof PlanError ? new CommandError(error.message, exitCodes.usage) : error;
  }
  console.log(`Wrote ${shown}. To run it on a stack, set in Pulumi.<stack>.yaml:`);
  console.log(`  lambda-train:experiment: ${shown}`);
  console.log("Then: npm run up -- --stack <stack>");
  return exitCodes.ok;
});

/** The first experiment file in a folder of the project. */
function firstIn(folder: string): string {
  const path = join(projectFolder(), folder);
  const names = existsSync(path) ? readdirSync(path).filter((name) => /\.ya?ml$/.test(name)) : [];
  return join(folder, names.sort()[0] ?? "<name>.yaml");
}

/** Asks for what is missing, in a terminal. @throws CommandError where nobody can be asked for the name. */
async function completed(given: Options): Promise<Options & { readonly name: string }> {
  if (given.name !== undefined) return { ...given, name: given.name };
  if (!process.stdin.isTTY) throw new CommandError("Name the experiment: --name <name>.", exitCodes.usage);
  const lines = createInterface({ input: process.stdin, output: process.stdout });
  const ask = async (question: string, known: string | undefined): Promise<string | undefined> =>
    known ?? ((await lines.question(question)).trim() || undefined);
  try {
    const name = await ask("Name of the experiment: ", undefined);
    if (name === undefined) throw new CommandError("An experiment needs a name.", exitCodes.usage);
    const from = (await ask(`Experiment file to start from [${given.from}]: `, undefined)) ?? given.from;
    const workload = await ask("Workload, a folder or git URL [the same]: ", given.workload);
    const dataset = await ask("Dataset, a folder, archive or URL [the same]: ", given.dataset);
    const more = await ask("Keys to set, as train.overrides.lr=0.001, separated by spaces [none]: ", undefined);
    return { name, from, workload, dataset, set: [...given.set, ...(more?.split(/\s+/) ?? [])] };
  } finally {
    lines.close();
  }
}
