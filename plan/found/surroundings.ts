import { gitOrNone } from "../../local/git/command";
import type { Found } from "./found";
import type { Repository } from "./repository";
import { makefileOf, requirements, scriptOf, takes, targets } from "./training";

const setupScripts = ["scripts/lambda_setup.sh", "lambda_setup.sh", "scripts/setup.sh", "setup.sh", "install.sh"];
/** Python modules that a gate can import early, and how requirements or imports call them. */
const frameworks = {
  torch: /\btorch\b|\blightning\b|\btransformers\b|\bultralytics\b/,
  tensorflow: /\btensorflow\b/,
  jax: /\bjax\b/,
};
/** Folders to which the common libraries write by themselves. */
const writers = [
  { folder: "lightning_logs", mark: /\b(pytorch_)?lightning\b/ },
  { folder: "runs", mark: /\bultralytics\b/ },
];
const dataFolders = ["data", "dataset", "datasets"];
const splitNames = ["train", "training", "valid", "val", "validation", "test"];

/** How its environment is made. */
export function findEnvironment(repository: Repository): Found[] {
  const script = repository.first(setupScripts);
  const { path, text } = makefileOf(repository);
  const target = targets(text).find((name) => ["setup", "install"].includes(name));
  const file = repository.names().find((name) => /^(environment.*\.ya?ml|requirements.*\.txt)$/.test(name));
  const project = repository.first(["pyproject.toml", "setup.py"]);
  if (script !== undefined) return [{ key: "environment.setup", value: `bash ${script}`, why: `${script} is there` }];
  if (target !== undefined)
    return [{ key: "environment.setup", value: `make ${target}`, why: `${path} has a target ${target}` }];
  if (file !== undefined)
    return [{ key: "environment.setup", value: null, why: `the stack makes the environment of ${file} by itself` }];
  if (project !== undefined) {
    const value = "python3 -m venv --system-site-packages .venv && .venv/bin/pip install -e .";
    return [{ key: "environment.setup", value, why: `${project} makes it a Python package` }];
  }
  const why = "no setup script, requirements or environment file: the instance's own Python trains";
  return [{ key: "environment.setup", value: null, why }];
}

/** What must import before it trains. */
export function findGate(repository: Repository): Found[] {
  const text = `${requirements(repository)}\n${repository.text(scriptOf(repository) ?? "")}`;
  const modules = Object.entries(frameworks).flatMap(([name, mark]) => (mark.test(text) ? [name] : []));
  const why = modules.length > 0 ? "requirements or the script name it" : "nothing names PyTorch, TensorFlow or JAX";
  return [{ key: "gate.modules", value: modules, why }];
}

/** Its data, where that is no part of the code. */
export function findDataset(repository: Repository): Found[] {
  const folder = dataFolders.find((name) => repository.isFolder(name) && !isTracked(repository, name));
  if (folder === undefined) return [];
  const splits = splitNames.filter((name) => repository.isFolder(`${folder}/${name}`));
  const why = `${folder}/ is there and not in git`;
  return [
    { key: "dataset.source", value: folder, why },
    { key: "dataset.target", value: folder, why: "training finds it where it is here" },
    {
      key: "dataset.splits",
      value: splits,
      why: splits.length > 0 ? "folders in it" : "it has no train, valid or test",
    },
  ];
}

/** What follows training, and where it writes. */
export function findResults(repository: Repository): Found[] {
  const { path, text } = makefileOf(repository);
  const evaluate = targets(text).find((name) => ["evaluate", "eval"].includes(name));
  const needs = `${requirements(repository)}\n${repository.text(scriptOf(repository) ?? "")}`;
  const writer = writers.find(({ mark }) => mark.test(needs));
  return [
    evaluate !== undefined && takes(text, "MODEL")
      ? {
          key: "evaluate.command",
          value: `make ${evaluate} MODEL={checkpoint}`,
          why: `${path} has a target ${evaluate}`,
        }
      : { key: "evaluate", value: null, why: "no Makefile with a target evaluate that takes MODEL" },
    targets(text).includes("dashboard")
      ? { key: "dashboard.command", value: "make dashboard", why: `${path} has a target dashboard` }
      : { key: "dashboard", value: null, why: "no Makefile with a target dashboard" },
    ...(writer === undefined
      ? []
      : [{ key: "results.outputs", value: writer.folder, why: "its library writes there by itself" }]),
  ];
}

function isTracked({ folder }: Repository, path: string): boolean {
  return (gitOrNone(folder, ["ls-files", "-z", "--", path]) ?? "") !== "";
}
