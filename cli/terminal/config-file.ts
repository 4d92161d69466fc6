import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { InvalidArgumentError } from "commander";
import { projectFolder } from "../../local/paths";

/** Pulumi's own variable for its option `--config-file`: the CLI's processes that a command starts read it as well. */
const variable = "PULUMI_OPTION_CONFIG_FILE";

/** The argument of `--config-file`. @throws InvalidArgumentError where the CLI would go on without a configuration */
export function configFileArgument(path: string): string {
  const file = resolve(projectFolder(), path);
  if (existsSync(file)) return path;
  throw new InvalidArgumentError(`There is no file ${file}. A relative path counts from the project's folder.`);
}

/** Makes this command, and the CLI that it starts, read another file for a stack's. */
export function useConfigFile(path: string): void {
  process.env[variable] = path;
}

/** The file that is read for a stack's, if it is another one. */
export function configFile(): string | undefined {
  return process.env[variable] || undefined;
}
