import { spawnSync } from "node:child_process";

/**
 * What git sets for its hooks, and aliases for their commands: they name the repository of the caller, not that of the
 * folder in which a command runs.
 */
const callersRepository = new Set([
  "GIT_ALTERNATE_OBJECT_DIRECTORIES",
  "GIT_ATTR_SOURCE",
  "GIT_COMMON_DIR",
  "GIT_CONFIG",
  "GIT_CONFIG_PARAMETERS",
  "GIT_DIR",
  "GIT_GRAFT_FILE",
  "GIT_IMPLICIT_WORK_TREE",
  "GIT_INDEX_FILE",
  "GIT_INDEX_VERSION",
  "GIT_INTERNAL_SUPER_PREFIX",
  "GIT_NAMESPACE",
  "GIT_NO_REPLACE_OBJECTS",
  "GIT_OBJECT_DIRECTORY",
  "GIT_PREFIX",
  "GIT_QUARANTINE_PATH",
  "GIT_REPLACE_REF_BASE",
  "GIT_SHALLOW_FILE",
  "GIT_WORK_TREE",
]);

/**
 * The environment of what runs in folders of the user on this machine: without the keys that rent instances, and without
 * the repository of a git hook that runs the stack.
 */
export function localEnvironment(): NodeJS.ProcessEnv {
  const { LAMBDA_API_KEY: _key, LAMBDA_TRAIN_INSTANCE_API_KEY: _instanceKey, ...env } = process.env;
  return Object.fromEntries(Object.entries(env).filter(([name]) => !callersRepository.has(name)));
}

/** 128 + SIGPIPE: in the pipe every command to the right of the one that ended so did well, as in `yes | ./make.sh`. */
const brokenPipe = 141;

/**
 * Runs a command of an experiment file in a folder of this machine, in bash, its standard input closed. A command that
 * fails inside a pipe fails it all.
 * @returns the last lines of what it said where it failed, else undefined.
 */
export function runLocally(command: string, folder: string): string | undefined {
  const { status, signal, error, stdout, stderr } = spawnSync("bash", ["-o", "pipefail", "-c", command], {
    cwd: folder,
    env: localEnvironment(),
    stdio: ["ignore", "pipe", "pipe"],
    encoding: "utf8",
    maxBuffer: 1 << 28,
  });
  if (error === undefined && (status === 0 || status === brokenPipe)) return undefined;
  const said = `${stdout ?? ""}\n${stderr ?? ""}`.trim().split("\n").slice(-5).join(" / ");
  return said === "" ? (error?.message ?? `it ended with ${signal ?? `status ${status}`}`) : said;
}
