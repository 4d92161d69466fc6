import { isMap, parse, parseDocument } from "yaml";
import { experimentName, parseExperiment } from "./experiment";
import { PlanError } from "./problems";

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
 * Makes the text of a new experiment file from that of another: comments stay, what is changed is changed, and the
 * result is valid.
 * @param file What errors call it.
 * @throws PlanError with every problem.
 */
export function newExperiment(text: string, changes: ExperimentChanges, file: string): string {
  const { name, workload, dataset, set = [] } = changes;
  const named = experimentName.safeParse(name);
  if (!named.success) {
    throw new PlanError([{ field: "--name", value: name, message: named.error.issues[0]?.message ?? "is no name" }]);
  }
  const document = parseDocument(text);
  if (document.errors.length > 0 || !isMap(document.contents)) {
    throw new PlanError([{ field: "--from", value: file, message: "is no experiment file: it must be a YAML map" }]);
  }
  document.setIn(["experiment"], name);
  if (workload !== undefined) {
    // They say what to take of the other repository.
    for (const key of ["ref", "subfolder", "name"]) document.deleteIn(["workload", key]);
    document.setIn(["workload", "source"], workload);
  }
  if (dataset !== undefined) {
    for (const key of ["prepare", "sha256"]) document.deleteIn(["dataset", key]);
    document.setIn(["dataset", "source"], dataset);
  }
  for (const each of set) {
    const { path, value } = setting(each);
    document.setIn(path, document.createNode(value));
  }
  const made = document.toString({ lineWidth: 0 });
  const rest = made.replace(/^# yaml-language-server:.*\n/m, "");
  const result = `#${schemaLine}\n${rest}`;
  parseExperiment(result, file);
  return result;
}

/** Reads `train.overrides.lr=0.001`. @throws PlanError */
function setting(text: string): { path: string[]; value: unknown } {
  const at = text.indexOf("=");
  const path = text.slice(0, at).split(".");
  if (at < 1 || path.some((part) => part === "")) {
    const next = "Write a path and a value, as train.overrides.lr=0.001";
    throw new PlanError([{ field: "--set", value: text, message: "is no setting", next }]);
  }
  return { path, value: parse(text.slice(at + 1)) as unknown };
}
