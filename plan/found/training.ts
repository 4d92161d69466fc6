import type { Found } from "./found";
import type { Repository } from "./repository";

/** Where repositories keep the script that trains, in the order in which one counts. */
const scripts = ["train.py", "src/train.py", "scripts/train.py", "tools/train.py", "training/train.py"];

/** Config files in the order in which one counts; then any other in the folders. */
const configs = ["configs/lambda.yaml", "configs/train.yaml", "configs/default.yaml", "configs/config.yaml"];
const configFolders = ["configs", "config", "conf"];

/** How to train: command, config and how it goes on. */
export function findTraining(repository: Repository): Found[] {
  const config = configOf(repository);
  const makefile = makefileOf(repository);
  if (targets(makefile.text).includes("train")) return byMake(makefile, config);
  const script = scriptOf(repository);
  if (script !== undefined) return byScript(repository, script, config);
  const data = repository.first(["data.yaml", "dataset.yaml"]);
  if (/\bultralytics\b/.test(requirements(repository)))
    return [
      { key: "train.command", value: `yolo train data=${data ?? "data.yaml"}`, why: "requirements name Ultralytics" },
      noConfig("yolo takes its settings as words"),
    ];
  const why = "no Makefile with a target train, no train.py or main.py: name the command that trains";
  return [{ key: "train.command", value: "python3 train.py", why, isOpen: true }, noConfig("no command reads one")];
}

/** What the repository's Makefile says; an empty text without one. */
export function makefileOf(repository: Repository): { readonly path: string; readonly text: string } {
  const path = repository.first(["GNUmakefile", "makefile", "Makefile"]) ?? "Makefile";
  return { path, text: repository.text(path) };
}

/** Names of a Makefile's targets. */
export function targets(makefile: string): string[] {
  return [...makefile.matchAll(/^([A-Za-z][^:=\n]*?)\s*::?(?!=)/gm)].flatMap(([, names = ""]) => names.split(/\s+/));
}

/** Whether a Makefile reads a variable. */
export function takes(makefile: string, variable: string): boolean {
  return new RegExp(`\\$[({]${variable}[)}]`).test(makefile);
}

/** What the repository says that it needs, in one text. */
export function requirements(repository: Repository): string {
  const files = repository
    .names()
    .filter((name) => /^(requirements.*\.txt|environment.*\.ya?ml|pyproject\.toml|setup\.(py|cfg))$/.test(name));
  return files.map((name) => repository.text(name)).join("\n");
}

/** The script that trains. */
export function scriptOf(repository: Repository): string | undefined {
  const names = repository.names();
  const inPackage = names.map((name) => `${name}/train.py`);
  // As the examples of transformers are called.
  const examples = names.filter(
    (name) => /^run_\w+\.py$/.test(name) && /\bTrainingArguments\b/.test(repository.text(name)),
  );
  return repository.first([...scripts, ...inPackage, "main.py", ...examples]);
}

function byMake(makefile: { readonly path: string; readonly text: string }, config: string | undefined): Found[] {
  const readsConfig = config !== undefined && takes(makefile.text, "CONFIG");
  const words = [
    "make train",
    ...(readsConfig ? ["CONFIG={config}"] : []),
    ...(takes(makefile.text, "EXPERIMENT") ? ["EXPERIMENT={experiment}"] : []),
  ];
  const why = `${makefile.path} has a target train${words.length > 1 ? " that takes these variables" : ""}`;
  return [
    { key: "train.command", value: words.join(" "), why },
    readsConfig
      ? { key: "train.config", value: config, why: "the first config file found" }
      : noConfig(`${makefile.path} takes no CONFIG`),
  ];
}

function byScript(repository: Repository, script: string, config: string | undefined): Found[] {
  const text = repository.text(script);
  const takesOption = optionsOf(text);
  const isLightning = /\bLightningCLI\b/.test(text);
  const reads = isLightning ? "--config" : takesOption("--config", "--cfg", "--config-file", "--config_file");
  const forConfig = config === undefined ? undefined : reads;
  // transformers defines the options of its trainer by itself.
  const isTrainer = /\bHfArgumentParser\b/.test(text) && /\bTrainingArguments\b/.test(text);
  const writes = takesOption("--output_dir", "--output-dir", "--out_dir", "--out-dir", "--save_dir", "--save-dir");
  const forOutput = isTrainer ? "--output_dir" : writes;
  const isAccelerated = /^\s*(?:from|import) accelerate\b/m.test(text);
  const call = [
    isAccelerated ? `accelerate launch ${script}` : `python3 ${script}`,
    ...(isLightning ? ["fit"] : []),
    ...(forConfig === undefined ? [] : [`${forConfig} {config}`]),
    ...(forOutput === undefined ? [] : [`${forOutput} outputs/{experiment}`]),
  ].join(" ");
  const resumes = takesOption("--resume_from_checkpoint", "--resume-from-checkpoint", "--resume", "--ckpt_path");
  const resume = isTrainer ? "--resume_from_checkpoint" : isLightning ? "--ckpt_path" : resumes;
  const facts = [
    `${script} is there`,
    ...(isAccelerated ? ["imports accelerate"] : []),
    ...(isLightning ? ["is a LightningCLI"] : []),
    ...[forConfig, forOutput].flatMap((name) => (name === undefined ? [] : [`takes ${name}`])),
  ];
  return [
    { key: "train.command", value: call, why: facts.join(", ") },
    forConfig === undefined
      ? noConfig(`${script} takes no --config`)
      : { key: "train.config", value: config, why: "the first config file found" },
    ...(resume === undefined
      ? []
      : [{ key: "train.resume", value: `${call} ${resume} {checkpoint}`, why: `${script} takes ${resume}` }]),
  ];
}

/** Gives the first of some options that a script takes with a value, as argparse or click define it. */
function optionsOf(text: string): (...names: readonly string[]) => string | undefined {
  const isTaken = (name: string): boolean =>
    new RegExp(
      `(?:add_argument|option)\\(\\s*(?:["']-\\w["'],\\s*)?["']${name}["'](?![^)]*(?:store_true|is_flag))`,
    ).test(text);
  return (...names) => names.find(isTaken);
}

function configOf(repository: Repository): string | undefined {
  const any = configFolders.flatMap((folder) =>
    repository.names(folder).flatMap((name) => (/\.(ya?ml|json)$/.test(name) ? [`${folder}/${name}`] : [])),
  );
  return repository.first([...configs, ...any, "config.yaml", "config.yml", "config.json"]);
}

function noConfig(why: string): Found {
  return { key: "train.config", value: null, why };
}
