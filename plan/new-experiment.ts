import { parseDocument } from "yaml";
import { experimentName, parseExperiment } from "./experiment";
import { PlanError } from "./problems";
import { YamlText } from "./yaml/text";
import { type Tree, treeOf, treeOfValue, YamlProblem } from "./yaml/tree";

/** What the new experiment has that the one it is made from has not. */
export interface ExperimentChanges {
  readonly name: string;
  /** Folder or git URL of another workload. */
  readonly workload?: string;
  /** Another dataset. */
  readonly dataset?: string;
  /** Values by path, each `path.to.field=value` with the value as YAML. */
  readonly set?: readonly string[];
}

const schemaLine = " yaml-language-server: $schema=./experiment.schema.json";

/**
 * Makes the text of a new experiment file from that of another: what is changed is changed, everything else stays as
 * it is written, and the result is valid.
 * @param file What errors call it.
 * @throws PlanError with every problem.
 */
export function newExperiment(text: string, changes: ExperimentChanges, file: string): string {
  const { name, workload, dataset, set: settings = [] } = changes;
  const named = experimentName.safeParse(name);
  if (!named.success) {
    throw new PlanError([{ field: "--name", value: name, message: named.error.issues[0]?.message ?? "is no name" }]);
  }
  const made = edited(text, file);
  const set = (path: readonly string[], value: Tree): void => {
    attempt("--set", path.join("."), () => made.set(path.map(keyOf), value));
  };
  const remove = (path: readonly string[]): void => made.delete(path.map(keyOf));
  set(["experiment"], treeOfValue(name));
  if (workload !== undefined) {
    set(["workload", "source"], treeOfValue(workload));
    // They say what to take of the other repository.
    for (const key of ["ref", "subfolder", "name"]) remove(["workload", key]);
  }
  if (dataset !== undefined) {
    set(["dataset", "source"], treeOfValue(dataset));
    for (const key of ["prepare", "sha256"]) remove(["dataset", key]);
  }
  for (const each of settings) {
    const { path, value } = setting(each);
    set(path, value);
  }
  const known = /^#( yaml-language-server:.*)\n/m.exec(made.text);
  const result = `#${known?.[1] ?? schemaLine}\n${made.text.replace(known?.[0] ?? "", "")}`;
  parseExperiment(result, file);
  return result;
}

function edited(text: string, file: string): YamlText {
  try {
    return new YamlText(text);
  } catch (error) {
    if (!(error instanceof YamlProblem)) throw error;
    const message = `is no experiment file: it must be a YAML map (${error.message})`;
    throw new PlanError([{ field: "--from", value: file, message }]);
  }
}

/** Reads `train.overrides.lr=0.001`. @throws PlanError */
function setting(text: string): { path: string[]; value: Tree } {
  const at = text.indexOf("=");
  const path = text.slice(0, at).split(".");
  if (at < 1 || path.some((part) => part === "")) {
    const next = "Write a path and a value, as train.overrides.lr=0.001";
    throw new PlanError([{ field: "--set", value: text, message: "is no setting", next }]);
  }
  const document = parseDocument(text.slice(at + 1));
  const [error] = document.errors;
  const next = "Quote text that YAML would read as something else";
  const message = `the value is no YAML: ${error?.message.split("\n")[0]}`;
  if (error !== undefined) throw new PlanError([{ field: "--set", value: text, message, next }]);
  return { path, value: attempt("--set", text, () => treeOf(document.contents, document)) };
}

/** What is done for an option. @throws PlanError where it cannot be done */
function attempt<T>(field: string, value: string, act: () => T): T {
  try {
    return act();
  } catch (error) {
    if (!(error instanceof YamlProblem)) throw error;
    throw new PlanError([{ field, value, message: error.message, next: error.next }]);
  }
}

function keyOf(text: string): Tree {
  return { kind: "scalar", text, plain: true };
}
