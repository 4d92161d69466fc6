import { readFileSync, statSync } from "node:fs";
import { join, posix } from "node:path";
import type { Experiment } from "./experiment";

/** Files larger than this are no scripts. */
const mostBytes = 1 << 20;

/**
 * Whether setup makes the config that training reads: the experiment says so, or the workload lacks it and the setup
 * command, or a file that the command names, mentions it.
 * @param folder The workload.
 */
export function isConfigMade({ environment, train }: Experiment, folder: string): boolean {
  if (train.config === null || environment.setup === null) return false;
  const path = posix.join(train.directory, train.config);
  if (isListed(environment, path)) return true;
  return !isFile(join(folder, path)) && setupText(environment.setup, folder).includes(posix.basename(path));
}

/** Whether the experiment says that setup makes a file, and the workload holds it nevertheless. */
export function isConfigRewritten({ environment, train }: Experiment, folder: string): boolean {
  if (train.config === null || environment.setup === null) return false;
  const path = posix.join(train.directory, train.config);
  return isListed(environment, path) && isFile(join(folder, path));
}

/** Files of the workload that the setup command names, or a file that it names: the config may be made of them. */
export function namedBySetup(setup: string, folder: string): string[] {
  return filesNamed(setupText(setup, folder), folder);
}

function isListed({ makes }: Experiment["environment"], path: string): boolean {
  return makes.some((made) => posix.normalize(made) === path);
}

function setupText(setup: string, folder: string): string {
  const makefile = /(^|[\s;&|])make(\s|$)/.test(setup) ? ["GNUmakefile", "makefile", "Makefile"] : [];
  const files = [...filesNamed(setup, folder), ...makefile.filter((name) => isFile(join(folder, name)))];
  return [setup, ...files.map((path) => readFileSync(join(folder, path), "utf8"))].join("\n");
}

function filesNamed(text: string, folder: string): string[] {
  const words = [...new Set(text.match(/[\w./-]+/g))].filter((word) => !word.startsWith("/"));
  const paths = words.map((word) => posix.normalize(word)).filter((path) => !path.startsWith(".."));
  return [...new Set(paths)].filter((path) => isFile(join(folder, path))).sort();
}

function isFile(path: string): boolean {
  const found = statSync(path, { throwIfNoEntry: false });
  return found?.isFile() === true && found.size <= mostBytes;
}
