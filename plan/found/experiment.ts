import { Document, type Pair, type YAMLMap } from "yaml";
import { parseExperiment } from "../experiment";
import type { Found } from "./found";
import type { Repository } from "./repository";
import { findDataset, findEnvironment, findGate, findResults } from "./surroundings";
import { findTraining } from "./training";

/** An experiment that was found by looking at a repository. */
export interface FoundExperiment {
  readonly name: string;
  /** Its file, each key with the reason. */
  readonly text: string;
  readonly found: readonly Found[];
}

/**
 * Looks at a repository and makes an experiment file of what tells how it trains: Makefile, scripts, requirements, configs,
 * data.
 * @param source The repository as the file names it, relative to the project.
 * @param schema Path of the schema from the file, for editors.
 */
export function foundExperiment(
  repository: Repository,
  { source, schema }: { readonly source: string; readonly schema: string },
): FoundExperiment {
  const name = `${slug(repository.name)}-v1`;
  const inProject = (path: unknown): string => (source === "." ? String(path) : `${source}/${path}`);
  const found = [
    { key: "workload.source", value: source, why: "the repository that init looked at" },
    ...findDataset(repository).map((each) =>
      each.key === "dataset.source" ? { ...each, value: inProject(each.value) } : each,
    ),
    ...findEnvironment(repository),
    ...findGate(repository),
    ...findTraining(repository),
    ...findResults(repository),
  ];
  const document = new Document(nested([{ key: "experiment", value: name }, ...found]));
  for (const { key, why } of found) comment(document, key.split("."), why);
  const text = `# yaml-language-server: $schema=${schema}\n${document.toString({ lineWidth: 0 })}`;
  parseExperiment(text, `${name}.yaml`);
  return { name, text, found };
}

/** A name with the letters that an experiment or a project may have. */
export function slug(text: string): string {
  const kept = text.replace(/[^A-Za-z0-9_-]+/g, "-").replace(/^[^A-Za-z0-9]+|-+$/g, "");
  return kept.slice(0, 40) || "training";
}

function nested(found: readonly Pick<Found, "key" | "value">[]): Record<string, unknown> {
  const top: Record<string, Record<string, unknown>> = {};
  const made: Record<string, unknown> = top;
  for (const { key, value } of found) {
    const [section = "", name] = key.split(".");
    if (name === undefined) made[section] = value;
    else top[section] = { ...top[section], [name]: value };
  }
  return made;
}

function comment(document: Document, path: readonly string[], why: string): void {
  const map = document.getIn(path.slice(0, -1), true) as YAMLMap;
  const pair = map.items.find(({ key }: Pair) => String(key) === path.at(-1));
  const key = pair?.key as { commentBefore?: string } | undefined;
  if (key !== undefined) key.commentBefore = ` ${why}`;
}
