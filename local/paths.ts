import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join, resolve } from "node:path";

/** Folder of the project: the nearest one above this file that holds Pulumi.yaml. */
export function projectFolder(): string {
  let folder = __dirname;
  while (!existsSync(join(folder, "Pulumi.yaml"))) {
    const parent = dirname(folder);
    if (parent === folder) throw new Error(`No Pulumi.yaml above ${__dirname}: the project is not complete.`);
    folder = parent;
  }
  return folder;
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
