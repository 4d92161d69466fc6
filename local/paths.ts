import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join, resolve } from "node:path";

/** Folder of this program: a clone, or the installed package. */
export function packageFolder(): string {
  const folder = nearest(__dirname, join("scripts", "agent"));
  if (folder === undefined) throw new Error(`No scripts/agent above ${__dirname}: the program is not complete.`);
  return folder;
}

/**
 * Folder of the project: the nearest one above this file that holds Pulumi.yaml. That is the clone, or what the package
 * is installed in. A package that is installed for all projects works on the one that the current folder is in.
 */
export function projectFolder(): string {
  const folder = nearest(__dirname, "Pulumi.yaml") ?? nearest(process.cwd(), "Pulumi.yaml");
  if (folder === undefined)
    throw new Error(`No Pulumi.yaml in ${process.cwd()} or above. \`npm run init\` makes a project of this folder.`);
  return folder;
}

/** The folder itself, or the nearest one above it, that holds an entry of that name. */
function nearest(start: string, name: string): string | undefined {
  for (let folder = start; ; folder = dirname(folder)) {
    if (existsSync(join(folder, name))) return folder;
    if (dirname(folder) === folder) return undefined;
  }
}

/** Paths as a user wrote them, made absolute: they count from the project, or from the home folder after `~/`. */
export function ownPaths(written: Readonly<Record<string, string>> = {}): Record<string, string> {
  const own = (path: string): string => resolve(projectFolder(), path.replace(/^~(?=\/|$)/, homedir()));
  return Object.fromEntries(Object.entries(written).map(([place, path]) => [place, own(path)]));
}

/** Folder of what belongs to this checkout alone: state, emulated cloud, hashes. `LAMBDA_TRAIN_LOCAL` moves it. */
export function localFolder(): string {
  return resolve(process.env.LAMBDA_TRAIN_LOCAL || join(projectFolder(), ".local"));
}

/** Folder that holds a folder with the ledger for each stack: `results`. `LAMBDA_TRAIN_LEDGERS` moves it. */
export function ledgersFolder(): string {
  return resolve(process.env.LAMBDA_TRAIN_LEDGERS || join(projectFolder(), "results"));
}

/** Folder of remembered checksums. */
export function hashFolder(): string {
  return join(localFolder(), "hashes");
}

/** Folder of what all checkouts of a user share: engine, git mirrors, pacing. `LAMBDA_TRAIN_CACHE` moves it. */
export function cacheFolder(): string {
  const base = process.env.XDG_CACHE_HOME || join(homedir(), ".cache");
  return resolve(process.env.LAMBDA_TRAIN_CACHE || join(base, "lambda-train"));
}
