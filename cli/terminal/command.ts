import { Command, InvalidArgumentError } from "commander";
import { configFileArgument, useConfigFile } from "./config-file";
import { printLastLines } from "./last-lines";
import { printSafely } from "./output";

/** Exit codes of the operator commands, for scripts. */
export const exitCodes = {
  ok: 0,
  /** The run failed, or the answer is no. */
  failed: 1,
  /** The command was used wrongly, or the configuration is wrong. */
  usage: 2,
  /** The stack has nothing that runs. */
  nothing: 3,
  /** The instance or the API could not be reached: nothing is known. */
  unreachable: 4,
  /** The time limit came first. */
  timeout: 5,
  /** `watch`: a limit is reached. */
  limit: 10,
  /** `watch`: the run has ended. */
  ended: 11,
} as const;

/** A command's failure that is no bug: its message is for the user, its code for scripts. */
export class CommandError extends Error {
  override readonly name = "CommandError";
  constructor(
    message: string,
    readonly exitCode: number = exitCodes.failed,
  ) {
    super(message);
  }
}

/** The part of the help that lists the exit codes. */
const exitCodeHelp = `
Exit codes: 0 done, 1 failed, 2 wrong usage, 3 nothing there, 4 unreachable, 5 timed out.`;

/** A command that `npm run <name>` runs on a stack, with the options that all of them share. */
export function operatorCommand(name: string, description: string): Command {
  return plainCommand(name, description)
    .option("-s, --stack <name>", "stack to use (default: the selected one, else dev)")
    .option("--config-file <path>", "file to read instead of Pulumi.<stack>.yaml", configFileArgument)
    .on("option:config-file", useConfigFile)
    .addHelpText("after", exitCodeHelp);
}

/** A command on one machine or run of a stack, which options choose where there are several. */
export function choosingCommand(name: string, description: string): Command {
  return operatorCommand(name, description)
    .option("--machine <name>", "machine to use, if the stack has several")
    .option("--run <name>", "run to use, by its name or its experiment's, if the stack has several")
    .option("--rank <number>", "machine of a training on several, by its rank (default for its run: 0)", rankNumber);
}

/** A command that `npm run <name>` runs, without a stack or with exit codes of its own. */
export function plainCommand(name: string, description: string): Command {
  const command = new Command(`npm run ${name} --`)
    .description(description)
    .configureOutput({ outputError: (text, write) => write(text) })
    .exitOverride((error) => {
      process.exit(error.exitCode === 0 ? 0 : exitCodes.usage);
    });
  collected?.push(command);
  return command;
}

let collected: Command[] | undefined;

/** The commands that modules define while they are loaded. None of them runs. */
export async function definitionsIn(load: () => Promise<unknown>): Promise<readonly Command[]> {
  const found: Command[] = [];
  collected = found;
  try {
    await load();
  } finally {
    collected = undefined;
  }
  return found;
}

/** Reads an option that is a whole number above 0. */
export function wholeNumber(text: string): number {
  if (!/^[1-9]\d*$/.test(text)) throw new InvalidArgumentError("Give a whole number above 0.");
  return Number(text);
}

function rankNumber(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError("Give a whole number from 0.");
  return Number(text);
}

/** Runs a command's body; errors for the user are printed without a stack trace. */
export function run(body: () => Promise<number>): void {
  if (collected !== undefined) return;
  printSafely();
  body().then(
    (code) => {
      process.exitCode = code;
      printLastLines(process.argv);
    },
    (error: unknown) => {
      process.exitCode = error instanceof CommandError ? error.exitCode : exitCodes.failed;
      console.error(error instanceof Error ? error.message : String(error));
    },
  );
}
