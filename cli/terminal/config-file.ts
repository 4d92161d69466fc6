import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { InvalidArgumentError } from "commander";
import { projectFolder } from "../../local/paths";
import { configFileVariable } from "../../local/stack-file";

/** The argument of `--config-file`. @throws InvalidArgumentError where the CLI would go on without a configuration */
export function configFileArgument(path: string): string {
  const file = resolve(projectFolder(), path);
  if (existsSync(file)) return path;
  throw new InvalidArgumentError(`There is no file ${file}. A relative path counts from the project's folder.`);
}

/** Makes this command, and the CLI's processes that it starts, read another file for a stack's. */
export function useConfigFile(path: string): void {
  process.env[configFileVariable] = path;
}

/** The file that is read for a stack's, if it is another one. */
export function configFile(): string | undefined {
  return process.env[configFileVariable] || undefined;
}
