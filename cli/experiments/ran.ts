import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseDocument, visit } from "yaml";
import { parseJson } from "../../local/json";
import type { RunRecord } from "../../remote/transfer/run-record";

/** What an experiment was configured with: `path.to.field` → value. */
export type Configuration = Readonly<Record<string, unknown>>;

const shownHash = 12;

/**
 * What ran, by the record of the results: keys of the experiment file as they were, hashes, commit, instance, and the
 * config that training read. The experiment's own name, which tells every two apart, is `{experiment}`.
 */
export function configurationOfRun(ran: RunRecord): Configuration {
  const { workload, dataset, environment, config, instance } = ran;
  const unnamed = (text: string | undefined): string | undefined => text?.replaceAll(ran.experiment, "{experiment}");
  const hash = (text: string | undefined): string | undefined => text?.slice(0, shownHash);
  const known: Record<string, unknown> = {
    "workload.source": workload?.source,
    "workload.ref": workload?.ref,
    commit: commitText(workload),
    code: hash(workload?.hash),
    "dataset.source": dataset?.source,
    dataset: hash(dataset?.hash),
    "environment.manager": environment?.manager,
    "environment.setup": environment?.setup,
    "environment.file": environment?.file,
    environment: hash(environment?.hash),
    "train.command": unnamed(ran.command),
    "train.directory": ran.directory,
    "train.config": config?.base ?? config?.path,
    "evaluate.command": unnamed(ran.evaluation),
    variables: ran.variables?.join(" "),
    instance: instance && `${instance.type} in ${instance.region}`,
    release: ran.release,
    ...overridesOf(config),
    ...configOf(config),
  };
  return Object.fromEntries(Object.entries(known).filter(([, value]) => value !== undefined));
}

/** Numbers are kept as they were written; those that any program writes so are numbers again. */
function overridesOf(config: RunRecord["config"]): Configuration {
  const values = config?.overrides === undefined ? undefined : parseJson(config.overrides);
  const entries = Object.entries(flattened(values, "train.overrides."));
  return Object.fromEntries(
    entries.map(([name, value]) => [name, String(Number(value)) === value ? Number(value) : value]),
  );
}

function commitText(workload: RunRecord["workload"]): string | undefined {
  if (workload?.commit === undefined) return undefined;
  return `${workload.commit.slice(0, shownHash)}${workload.changed === true ? " and uncommitted changes" : ""}`;
}

/** The values of the config that training read; its checksum where it is no YAML or JSON, or too long to be kept. */
function configOf(config: RunRecord["config"]): Configuration {
  const values = config?.text === undefined ? undefined : parsed(config.text);
  return typeof values === "object" && values !== null
    ? flattened(values, "config: ")
    : { config: config?.sha256?.slice(0, shownHash) };
}

/**
 * What the files here say today of an experiment of which no record tells: its experiment file (the one in configs/ that has
 * its name), and the workload's own config among its results.
 */
export function configurationToday(experiment: string, folder: string | null, root: string): Configuration {
  const files = globSync("configs/*.{yaml,yml}", { cwd: root }).map((file) => join(root, file));
  const own = files.map(readYaml).find((each) => (each as { experiment?: unknown } | null)?.experiment === experiment);
  return { ...flattened(own, ""), ...configInResults(folder) };
}

/** The config that the workload itself has left among its results. */
export function configInResults(folder: string | null): Configuration {
  const files = folder === null ? [] : globSync("{,*/,*/*/}config.{yaml,yml,json}", { cwd: folder }).sort();
  const [first] = files;
  return first === undefined || folder === null ? {} : flattened(readYaml(join(folder, first)), "workload config: ");
}

function readYaml(file: string): unknown {
  try {
    return parsed(readFileSync(file, "utf8"));
  } catch {
    return undefined;
  }
}

function parsed(text: string): unknown {
  try {
    const document = parseDocument(text, { uniqueKeys: false });
    if (document.errors.length > 0) return undefined;
    visit(document, {
      Scalar: (_, node) => {
        // 1.0, a commit such as 61e9540 and a long seed are shown as they are written.
        if (typeof node.value === "number" && String(node.value) !== node.source) node.value = node.source;
      },
    });
    return document.toJS() as unknown;
  } catch {
    return undefined;
  }
}

function flattened(value: unknown, prefix: string): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return value === undefined ? {} : { [prefix.replace(/\.$/, "")]: value };
  }
  return Object.assign({}, ...Object.entries(value).map(([key, each]) => flattened(each, `${prefix}${key}.`)));
}
