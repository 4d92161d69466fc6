import { existsSync, readFileSync } from "node:fs";
import { join, posix } from "node:path";
import type { Experiment } from "./experiment";
import { nearest, type Problem } from "./problems";
import type { EnvironmentPlan } from "./types";

/** Names of lists in a lock, below headers of one kind. */
const headers = { extras: "package.optional-dependencies", groups: "package.dev-dependencies" } as const;

/** What is wrong with an environment that uv is to make of a workload. */
export function uvProblems({ environment }: Experiment, folder: string): Problem[] {
  const { manager, file } = environment;
  const lock = file ?? "uv.lock";
  const isLock = posix.basename(lock) === "uv.lock" && existsSync(join(folder, lock));
  const isThere = isLock && existsSync(join(folder, posix.dirname(lock), "pyproject.toml"));
  if (manager === "uv" && !isThere) {
    const field = file === undefined ? "environment.manager" : "environment.file";
    const message = `the workload has no ${lock} with a pyproject.toml beside it`;
    const next = "Run `uv lock` in the workload and commit uv.lock, or name the lock's path in environment.file";
    return [{ field, value: file ?? manager, message, next }];
  }
  const isByUv = manager === "uv" || (manager === "auto" && isThere);
  const kinds = (["extras", "groups"] as const).filter((kind) => environment[kind] !== undefined);
  if (kinds.length > 0 && !isByUv) {
    const message = "only uv installs these, and it doesn't make this environment (no uv.lock, or another manager)";
    const next = "Leave it out, or run `uv lock` in the workload, commit uv.lock and set environment.manager to uv";
    return kinds.map((kind) => ({ field: `environment.${kind}`, value: environment[kind], message, next }));
  }
  if (kinds.length === 0) return [];
  const text = readFileSync(join(folder, lock), "utf8");
  return kinds.flatMap((kind) => unknownNames(kind, environment[kind] ?? [], namesIn(text, headers[kind])));
}

function unknownNames(kind: keyof typeof headers, asked: readonly string[], known: readonly string[]): Problem[] {
  return asked.flatMap((name) => {
    if (known.includes(normal(name))) return [];
    const what = kind === "extras" ? "extra" : "dependency group";
    const message = `the lock has no ${what} ${name} (${known.length === 0 ? "none at all" : `only ${known.join(", ")}`})`;
    const meant = nearest(normal(name), known);
    const next = meant === undefined ? "Add it to pyproject.toml and run `uv lock`" : `Did you mean ${meant}?`;
    return [{ field: `environment.${kind}`, value: name, message, next }];
  });
}

/** As a lock writes names. */
function normal(name: string): string {
  return name.toLowerCase().replace(/[-_.]+/g, "-");
}

function namesIn(lock: string, header: string): string[] {
  const parts = lock.split(`[${header}]\n`).slice(1);
  const lists = parts.map((part) => part.split(/^\[/m, 1)[0] ?? "");
  return [
    ...new Set(lists.flatMap((list) => [...list.matchAll(/^"?([\w.-]+)"? = \[/gm)].map(([, name]) => name ?? ""))),
  ];
}

/** What the instance is told of uv, and which files besides decide whether setup runs again. */
export function uvPlan({ extras, groups }: Experiment["environment"]): Pick<EnvironmentPlan, "uv"> {
  return extras === undefined && groups === undefined ? {} : { uv: { extras: extras ?? [], groups: groups ?? [] } };
}

/**
 * Files beside the lock that decide what uv makes, where the experiment asks for uv by name: where it is found, an earlier
 * release's hash of the environment must stay as it is.
 */
export function uvInputs({ manager, file }: Experiment["environment"]): string[] {
  if (manager !== "uv") return [];
  const project = posix.dirname(file ?? "uv.lock");
  return ["uv.lock", "pyproject.toml", "uv.toml", ".python-version"].map((name) => posix.join(project, name));
}
