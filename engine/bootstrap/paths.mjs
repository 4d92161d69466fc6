import { existsSync, mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

/** Folder of this program: a clone, or the installed package. */
export const root = resolve(dirname(fileURLToPath(import.meta.url)), "../..");

/** Whether this is the installed package. It is built and has no dependencies; a clone is a project itself. */
export const isInstalled = !existsSync(join(root, "Pulumi.yaml"));

const found = isInstalled ? (projectAbove(root) ?? projectAbove(process.cwd())) : root;

/**
 * Folder of the project: the clone, or the folder with a Pulumi.yaml that the package is installed in, or that the
 * current folder is in. Where there is none yet, the current folder, of which `init` makes one.
 */
export const project = found ?? process.cwd();

/** Whether there is a project. */
export const hasProject = found !== undefined;

function projectAbove(folder) {
  if (existsSync(join(folder, "Pulumi.yaml"))) return folder;
  return dirname(folder) === folder ? undefined : projectAbove(dirname(folder));
}

/** Folder of what belongs to this project alone: state, emulated cloud, locks. */
export const localFolder = resolve(process.env.LAMBDA_TRAIN_LOCAL || join(project, ".local"));

/** Folder of what all projects of a user share: engine, Node.js, plugins. */
export const cacheFolder = resolve(
  process.env.LAMBDA_TRAIN_CACHE || join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "lambda-train"),
);

/** What is brought here when the machine has nothing that serves. */
export const versions = { node: "22.23.3", pulumi: "3.259.0", languageHost: "3.68.0" };

/** The oldest versions that serve. */
export const oldest = { node: "22.19.0", pulumi: "3.200.0" };

/** Folder of the CLI and its companions, where the project brought them here itself. */
export const engineBin = join(cacheFolder, "engine", `v${versions.pulumi}`, "bin");

/** PULUMI_HOME of the project's runs: plugins and login that are not the user's own. */
export const pulumiHome = join(cacheFolder, "pulumi-home");

/** The package.json of a Pulumi SDK that this program was built with. */
export function sdkPackage(name) {
  const folders = ["node_modules", "dist/program/node_modules"];
  return folders.map((folder) => readJson(join(root, folder, "@pulumi", name, "package.json"))).find(Boolean);
}

/** Compares two versions such as 22.19.0 and 22.23.3 as numbers. */
export function atLeast(version, wanted) {
  const [left, right] = [version, wanted].map((text) => text.replace(/^v/, "").split(/[.+-]/).map(Number));
  for (let i = 0; i < 3; i += 1) if (left[i] !== right[i]) return (left[i] || 0) > (right[i] || 0);
  return true;
}

/** Path of a program on PATH; folders in `without` are passed over. */
export function findProgram(name, without = []) {
  for (const folder of (process.env.PATH || "").split(delimiter)) {
    if (!folder || without.includes(folder)) continue;
    const path = join(folder, name);
    if (isFile(path)) return path;
  }
  return undefined;
}

/** Tells whether the path is a file. */
export function isFile(path) {
  const found = statSync(path, { throwIfNoEntry: false });
  return found?.isFile() === true;
}

/** A JSON file's content, or undefined where it is missing or broken. */
export function readJson(path) {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch {
    return undefined;
  }
}

/** Writes a file so that a reader sees the old or the new text, never a part. */
export function writeWhole(path, text, mode = 0o644) {
  mkdirSync(dirname(path), { recursive: true });
  const temporary = `${path}.${process.pid}`;
  writeFileSync(temporary, text, { mode });
  renameSync(temporary, path);
}
