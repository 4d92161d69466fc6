import { existsSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { parse, YAMLParseError } from "yaml";
import { projectFolder } from "./paths";
import { lastName } from "./stack-name";

/*
 * Where a stack's file is, for the program and the commands. engine/bootstrap/environment.mjs says the same again: it runs
 * before there are npm packages and a build. A test compares the two.
 */

/** Pulumi's own variable for its option `--config-file`. */
export const configFileVariable = "PULUMI_OPTION_CONFIG_FILE";

/**
 * The file that holds a stack's configuration.
 * @param named Path of the one that is read in its place; a relative one counts from the project's folder.
 */
export function stackFile(stack: string, named = process.env[configFileVariable]): string {
  return resolve(projectFolder(), named || `Pulumi.${lastName(stack)}.yaml`);
}

/** What a stack's file holds. */
export interface StackFileContent {
  readonly text: string;
  /** Key with its namespace → value. A secret is `{ secure: … }`. */
  readonly config: Readonly<Record<string, unknown>>;
  /** Environments of Pulumi ESC. */
  readonly environment?: unknown;
}

/** A stack's file that is no YAML. */
export class StackFileError extends Error {
  override readonly name = "StackFileError";
}

/**
 * Reads a stack's file. One that is missing holds nothing.
 * @throws StackFileError that names file and line. It shows nothing of the text, which may be a secret
 */
export function readStackFile(file: string): StackFileContent {
  const text = existsSync(file) ? readFileSync(file, "utf8") : "";
  const { config, environment } = (parsed(file, text) ?? {}) as Partial<StackFileContent>;
  return { text, config: { ...config }, environment };
}

function parsed(file: string, text: string): unknown {
  try {
    return parse(text);
  } catch (error) {
    if (!(error instanceof YAMLParseError)) throw error;
    const [at] = error.linePos ?? [];
    const where = at === undefined ? "" : `, line ${at.line}, column ${at.col}`;
    const [what = ""] = error.message.split(/ at line \d|:?\n/);
    throw new StackFileError(
      `The stack's file ${file} is no valid YAML${where}: ${what}. Correct it there, then run the command again.`,
    );
  }
}
