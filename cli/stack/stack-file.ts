import { execFileSync } from "node:child_process";
import { projectFolder } from "../../local/paths";
import { readStackFile, type StackFileContent, StackFileError, stackFile } from "../../local/stack-file";
import { CommandError, exitCodes } from "../terminal/command";
import { configFile } from "../terminal/config-file";

/** Commands of the Pulumi CLI that take `--config-file`. */
const readers = new Set(["up", "preview", "destroy", "refresh", "config"]);

/** Arguments of the CLI with the file to read for the stack's, for a CLI that is too old for the variable as well. */
export function withConfigFile(args: readonly string[]): readonly string[] {
  const path = configFile();
  return path === undefined || !readers.has(args[0] ?? "") ? args : [...args, "--config-file", path];
}

/**
 * A stack's configuration as its file has it, key → value, and under it what the environments of Pulumi ESC have.
 * @throws CommandError where the file is broken
 */
export function configurationOf(stack: string): Record<string, unknown> {
  const { text, config, environment } = contentOf(stack);
  return isNothing(environment) ? { ...config } : { ...fromEnvironments(stack, text), ...config };
}

function contentOf(stack: string): StackFileContent {
  try {
    return readStackFile(stackFile(stack));
  } catch (error) {
    throw error instanceof StackFileError ? new CommandError(error.message, exitCodes.usage) : error;
  }
}

function isNothing(value: unknown): boolean {
  return value === undefined || value === null || (Array.isArray(value) && value.length === 0);
}

/** What `pulumi config --json` prints of a key. A secret has no value. */
interface Shown {
  readonly value?: string;
  readonly objectValue?: unknown;
  readonly secret?: boolean;
}

const read = new Map<string, Record<string, unknown>>();

/** Only Pulumi can open them. It is asked once for each text of the file. */
function fromEnvironments(stack: string, text: string): Record<string, unknown> {
  const key = `${stack}\n${text}`;
  const known = read.get(key) ?? ask(stack);
  read.set(key, known);
  return known;
}

function ask(stack: string): Record<string, unknown> {
  const args = withConfigFile(["config", "--json", "--stack", stack]);
  let printed: string;
  try {
    printed = execFileSync("pulumi", args, {
      cwd: projectFolder(),
      encoding: "utf8",
      stdio: ["ignore", "pipe", "pipe"],
    });
  } catch (error) {
    const { stderr = "" } = error as { stderr?: string };
    throw new Error(
      `The configuration of stack ${stack} has environments of Pulumi ESC, which can't be opened: ` +
        `${stderr.trim() || (error as Error).message}\nSee it with \`npm run pulumi -- config --stack ${stack}\`.`,
    );
  }
  const shown = Object.entries(JSON.parse(printed) as Record<string, Shown>);
  return Object.fromEntries(
    shown.map(([key, { value, objectValue, secret }]) => [key, secret ? { secure: "" } : (objectValue ?? value)]),
  );
}
