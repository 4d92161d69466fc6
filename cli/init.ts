import { appendFileSync, existsSync, mkdirSync, readFileSync, realpathSync, writeFileSync } from "node:fs";
import { basename, dirname, join, posix, relative, resolve } from "node:path";
import { topOf } from "../local/git/listing";
import { packageFolder } from "../local/paths";
import { foundExperiment } from "../plan/found/experiment";
import type { Found } from "../plan/found/found";
import { experimentsFolder, missingRules, projectFile, stackFile, workflowFile } from "../plan/found/project-files";
import { Repository } from "../plan/found/repository";
import { CommandError, exitCodes, plainCommand, run } from "./terminal/command";

const command = plainCommand(
  "init",
  "Makes a project of the folder that the package is installed in: looks at the repository, and writes a stack file, an " +
    "experiment file and a CI workflow. Changes no file that is there, but for lines at the end of .gitignore.",
)
  .option("-s, --stack <name>", "stack to write a file for", "gpu")
  .option("--workload <folder>", "repository that is trained", ".");

run(async () => {
  command.parse();
  const { stack, workload } = command.opts<{ stack: string; workload: string }>();
  if (!/^[A-Za-z0-9_.-]{1,100}$/.test(stack))
    throw new CommandError(
      `--stack ${stack}: letters, digits, dashes, dots and underscores are allowed.`,
      exitCodes.usage,
    );
  const project = projectHere();
  refuseOther(project);
  const folder = realpathSync(existsSync(workload) ? workload : missing(workload));
  const repository = new Repository(folder);
  const source = relative(project, folder) || ".";
  const { name, text, found } = foundExperiment(repository, { source, schema: schemaPath() });
  const experiment = `${experimentsFolder}/${name}.yaml`;
  const top = topOf(project) ?? project;
  const inTop = relative(top, project) || ".";
  const workflow = readFileSync(join(packageFolder(), "templates", "init", "workflow.yml"), "utf8");
  write(project, "Pulumi.yaml", projectFile(basename(folder), "node_modules/lambda-train/dist/program"));
  write(project, experiment, text);
  write(project, `Pulumi.${stack}.yaml`, stackFile(experiment));
  write(top, ".github/workflows/lambda-train.yml", workflowFile(workflow, inTop, stack));
  ignore(project);
  tell(found, experiment);
  console.log(`\nNext: look at ${experiment} and Pulumi.${stack}.yaml, then`);
  console.log("  export LAMBDA_API_KEY=…");
  console.log("  npm run up -- --preview-only   # what it would launch, and what that costs");
  console.log("  npm run up");
  return exitCodes.ok;
});

/** The folder that the package is installed in. @throws CommandError where it isn't installed in one */
function projectHere(): string {
  const modules = dirname(packageFolder());
  const project = dirname(modules);
  const isHere =
    basename(modules) === "node_modules" && !relative(project, realpathSync(process.cwd())).startsWith("..");
  if (isHere) return project;
  throw new CommandError(
    "The project needs the package in its own folder, where Pulumi finds it. Run `npm install --save-dev lambda-train` " +
      "there, then `npx lambda-train init`.",
    exitCodes.usage,
  );
}

/** @throws CommandError where another Pulumi program is there */
function refuseOther(project: string): void {
  const file = join(project, "Pulumi.yaml");
  if (!existsSync(file) || /^main: .*lambda-train/m.test(readFileSync(file, "utf8"))) return;
  throw new CommandError(
    `${file} is another Pulumi program's. Use the component there: import { Training } from "lambda-train". Or install the ` +
      "package in a folder of its own, and run `npm run init -- --workload ..` there. Nothing was written.",
    exitCodes.usage,
  );
}

function missing(workload: string): never {
  throw new CommandError(
    `--workload ${workload}: there is no such folder (looked in ${resolve(workload)}).`,
    exitCodes.usage,
  );
}

function schemaPath(): string {
  return posix.join("..", "node_modules", "lambda-train", "configs", "experiment.schema.json");
}

/** Writes a file that is not there yet, and says which. */
function write(folder: string, path: string, text: string): void {
  const file = join(folder, path);
  mkdirSync(dirname(file), { recursive: true });
  try {
    writeFileSync(file, text, { flag: "wx" });
    console.log(`wrote  ${path}`);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    console.log(`kept   ${path}, which is there already`);
  }
}

function ignore(project: string): void {
  const file = join(project, ".gitignore");
  const text = existsSync(file) ? readFileSync(file, "utf8") : "";
  const rules = missingRules(text);
  if (rules.length === 0) return;
  const begin = text === "" || text.endsWith("\n") ? "" : "\n";
  appendFileSync(file, `${begin}# lambda-train\n${rules.join("\n")}\n`);
  console.log(`added  ${rules.join(" ")} to .gitignore`);
}

/** What was found, and why it is taken so. */
function tell(found: readonly Found[], experiment: string): void {
  console.log(`\n${experiment} says, by what is in the repository:`);
  for (const { key, value, why, isOpen } of found) {
    console.log(`  ${isOpen === true ? "?" : " "} ${key}: ${JSON.stringify(value)}  (${why})`);
  }
  if (found.some(({ isOpen }) => isOpen)) console.log("  ? = nothing tells it: write it before `up`.");
}
