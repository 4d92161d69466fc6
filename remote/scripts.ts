import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { DatasetPlan, Plan } from "../plan/types";
import { exportLines, shellQuote } from "./quote";

/** Names under which uploads keep their manifests on the instance. */
export const codeUpload = "code";
export const datasetUpload = "dataset";

/** The workspace on the instance, relative to the home folder. */
export function workspacePath(workload: string): string {
  return workload;
}

/** The dataset's folder on the instance, relative to the home folder. */
export function datasetPath(plan: Plan): string {
  return `${workspacePath(plan.workload.name)}/${datasetOf(plan).target}`;
}

/** Where an archive is uploaded to (`remotePath` of `uploadArchive`), relative to the home folder. */
export function archivePath(plan: Plan): string {
  return `.lambda-train/archives/${datasetOf(plan).hash}`;
}

/** Name of the tmux session of an experiment: tmux takes neither `.` nor `:`. */
export function tmuxSession(experiment: string): string {
  return experiment.replaceAll(/[.:]/g, "_");
}

/** Makes the environment and runs the workload's setup command, once for the same `environment.hash`. */
export function renderSetup(plan: Plan): string {
  const { environment, workload } = plan;
  const variables = {
    LT_WORKSPACE: workspacePath(workload.name),
    LT_WORKLOAD: workload.name,
    LT_MANAGER: environment.manager,
    LT_FILE: environment.file ?? "",
    LT_SETUP: environment.setup ?? "",
    LT_ANSWER: environment.answer,
    LT_VARIABLES: exportLines(environment.variables),
  };
  const step = [
    "setup",
    environment.hash,
    String(environment.timeoutSeconds),
    "setup.sh",
    "$HOME/.lambda-train/env.sh",
  ];
  return render(["lib.sh", "step.sh", "setup.sh", "requirements.py"], variables, "step.sh", step);
}

const extractSeconds = 12 * 3600;

/** Brings the dataset to its place (or checks the upload of a folder), once for the same `dataset.hash` and target. */
export function renderExtract(plan: Plan): string {
  const dataset = datasetOf(plan);
  const { source } = dataset;
  const variables = {
    LT_WORKSPACE: workspacePath(plan.workload.name),
    LT_DATASET_TARGET: dataset.target,
    LT_DATASET_KIND: source.kind,
    LT_DATASET_PATH: source.kind === "archive" ? archivePath(plan) : source.kind === "fileSystem" ? source.path : "",
    LT_DATASET_URL: source.kind === "url" ? source.url : "",
    LT_DATASET_SHA256: source.kind === "url" ? (source.sha256 ?? "") : "",
    LT_DATASET_SPLITS: dataset.splits.join("\n"),
  };
  const hash = createHash("sha256").update(`${dataset.hash} ${dataset.target}`).digest("hex");
  const step = ["dataset", hash, String(extractSeconds), "extract.sh", `$HOME/${datasetPath(plan)}`];
  return render(["lib.sh", "step.sh", "extract.sh", "extract-archive.py"], variables, "step.sh", step);
}

/** The gate. Prints a line for each check and one JSON object last. */
export function renderVerify(plan: Plan): string {
  const { dataset, gate, workload } = plan;
  const workspace = workspacePath(workload.name);
  const manifests = [`${codeUpload} ${workspace}`];
  if (dataset?.source.kind === "folder") {
    manifests.push(`${datasetUpload} ${datasetPath(plan)}`);
  }
  const variables = {
    LT_WORKSPACE: workspace,
    LT_DATASET_TARGET: dataset?.target ?? "",
    LT_DATASET_SPLITS: dataset?.splits.join("\n") ?? "",
    LT_MANIFESTS: manifests.join("\n"),
    LT_GPU: gate.gpu,
    LT_ARCHITECTURE: gate.architecture ?? "",
    LT_MIN_DISK_GIB: String(gate.minDiskGiB),
    LT_MODULES: gate.modules.join("\n"),
    LT_CHECK: gate.command ?? "",
    LT_TIMEOUT: String(gate.timeoutSeconds),
  };
  return render(["lib.sh", "verify.sh", "remote-manifest.py"], variables, "verify.sh", []);
}

/** Starts the run, or finds it going or done. Exit status 3: a run with another hash goes on; 4: its limit is used up. */
export function renderStart(plan: Plan): string {
  const { run } = plan;
  const description = {
    LT_WORKSPACE: workspacePath(plan.workload.name),
    LT_DIRECTORY: run.directory,
    LT_COMMAND: run.command,
    LT_VARIABLES: exportLines(run.variables),
    LT_OUTPUTS: run.outputs,
    LT_PATTERN: run.firstStepPattern,
    LT_GRACE: String(run.graceSeconds),
    LT_MAX_SECONDS: run.maxSeconds === undefined ? "" : String(Math.ceil(run.maxSeconds)),
    ...evaluationVariables(plan),
  };
  const variables = { LT_RUN: exportLines(description), LT_HASH: run.hash };
  return render(["lib.sh", "run.sh", "supervise.sh", "evaluate.sh"], variables, "run.sh", [run.experiment]);
}

/** Prints the run's status as JSON. */
export function renderStatus(of: Plan | { readonly experiment: string }): string {
  return render(statusFiles, {}, "status.sh", [experimentOf(of)]);
}

const statusFiles = ["lib.sh", "status.sh"];

/**
 * A command that prints the status and sends no script along; it ends with 127 where {@link renderStatus} has not run
 * on the instance before.
 */
export function statusCommand(experiment: string): string {
  const script = `"$HOME/${bundleFolder(statusFiles)}/status.sh"`;
  return `test -f ${script} || exit 127; exec bash ${script} ${shellQuote(experiment)}`;
}

/** Stops training cleanly and waits until it has ended. */
export function renderStop(
  of: Plan | { readonly experiment: string },
  options: { readonly reason: string; readonly graceSeconds: number },
): string {
  const words = [experimentOf(of), options.reason, String(Math.ceil(options.graceSeconds))];
  return render(["lib.sh", "stop.sh"], {}, "stop.sh", words);
}

/** Evaluates the best checkpoint unless that is done, and waits for it. */
export function renderEvaluate(plan: Plan): string {
  if (plan.evaluation === undefined) {
    throw new Error("The plan has no evaluation: set evaluation.command in the experiment file.");
  }
  return render(["lib.sh", "evaluate.sh"], evaluationVariables(plan), "evaluate.sh", [plan.run.experiment]);
}

function evaluationVariables(plan: Plan): Record<string, string> {
  const { evaluation } = plan;
  return {
    LT_EVALUATE: evaluation?.command ?? "",
    LT_EVALUATE_CHECKPOINT: evaluation?.checkpoint ?? "",
    LT_EVALUATE_SECONDS: evaluation === undefined ? "" : String(Math.ceil(evaluation.timeoutSeconds)),
  };
}

function datasetOf(plan: Plan): DatasetPlan {
  if (plan.dataset === undefined) {
    throw new Error("The plan has no dataset: set dataset.source in the experiment file.");
  }
  return plan.dataset;
}

function experimentOf(of: Plan | { readonly experiment: string }): string {
  return "run" in of ? of.run.experiment : of.experiment;
}

const endOfScript = "LAMBDA_TRAIN_END_OF_SCRIPT";

/**
 * Text for `bash -s`: puts the scripts into a folder named after their content (so that a running one is never
 * overwritten), exports the variables and runs the entry with closed standard input. Words may begin with `$HOME/`; a
 * word that names one of the files becomes its path.
 */
function render(
  files: readonly string[],
  variables: Readonly<Record<string, string>>,
  entry: string,
  words: readonly string[],
): string {
  const install = files.map((name) => {
    const text = scriptText(name);
    return `cat >"$new/${name}" <<'${endOfScript}'\n${text}${text.endsWith("\n") ? "" : "\n"}${endOfScript}\n`;
  });
  const quoted = words.map((word) => {
    if (files.includes(word)) {
      return `"$scripts/${word}"`;
    }
    return word.startsWith("$HOME/") ? `"$HOME"/${shellQuote(word.slice(6))}` : shellQuote(word);
  });
  return [
    "set -euo pipefail\n",
    `scripts="$HOME/${bundleFolder(files)}"\n`,
    'if [ ! -d "$scripts" ]; then\n',
    'umask 022; mkdir -p "$(dirname "$scripts")"; new="$(mktemp -d "$scripts.XXXXXX")"\n',
    ...install,
    'mv -T "$new" "$scripts" 2>/dev/null || rm -rf "$new"\n',
    "fi\n",
    exportLines(variables),
    `exec bash "$scripts/${entry}" ${quoted.join(" ")} </dev/null\n`,
  ].join("");
}

function bundleFolder(files: readonly string[]): string {
  const hash = createHash("sha256");
  for (const name of files) {
    hash.update(`${name}\0${scriptText(name)}\0`);
  }
  return `.lambda-train/scripts/${hash.digest("hex").slice(0, 16)}`;
}

const texts = new Map<string, string>();

/** Text of a file in `scripts/remote/`, which lies beside package.json whether this code runs compiled or not. */
export function scriptText(name: string): string {
  let text = texts.get(name);
  if (text === undefined) {
    let root = __dirname;
    while (!existsSync(join(root, "package.json"))) {
      if (dirname(root) === root) {
        throw new Error(`No package.json above ${__dirname}: the project's folder is incomplete.`);
      }
      root = dirname(root);
    }
    text = readFileSync(join(root, "scripts/remote", name), "utf8");
    texts.set(name, text);
  }
  return text;
}
