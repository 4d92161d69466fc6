import { spawnSync } from "node:child_process";

/** The environment of what an experiment file runs on this machine: without the keys that rent instances. */
export function localEnvironment(): NodeJS.ProcessEnv {
  const { LAMBDA_API_KEY: _key, LAMBDA_TRAIN_INSTANCE_API_KEY: _instanceKey, ...env } = process.env;
  return env;
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
