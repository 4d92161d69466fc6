/** Pulumi's own variable for its option `--config-file`: the CLI's processes that a command starts read it as well. */
const variable = "PULUMI_OPTION_CONFIG_FILE";

/** Makes this command, and the CLI that it starts, read another file for a stack's. */
export function useConfigFile(path: string): void {
  process.env[variable] = path;
}

/** The file that is read for a stack's, if it is another one. */
export function configFile(): string | undefined {
  return process.env[variable] || undefined;
}
