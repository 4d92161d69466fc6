import { execSync } from "node:child_process";

/** The environment of what an experiment file runs on this machine: without the keys that rent instances. */
export function localEnvironment(): NodeJS.ProcessEnv {
  const { LAMBDA_API_KEY: _key, LAMBDA_TRAIN_INSTANCE_API_KEY: _instanceKey, ...env } = process.env;
  return env;
}

/**
 * Runs a command of an experiment file in a folder of this machine, its standard input closed.
 * @returns the last lines of what it said where it failed, else undefined.
 */
export function runLocally(command: string, folder: string): string | undefined {
  try {
    execSync(command, {
      cwd: folder,
      env: localEnvironment(),
      stdio: ["ignore", "pipe", "pipe"],
      encoding: "utf8",
      maxBuffer: 1 << 28,
    });
    return undefined;
  } catch (error) {
    const { stdout = "", stderr = "" } = error as { stdout?: string; stderr?: string };
    const said = `${stdout}\n${stderr}`.trim().split("\n").slice(-5).join(" / ");
    return said === "" ? (error as Error).message : said;
  }
}
