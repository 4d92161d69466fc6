import { Command, InvalidArgumentError } from "commander";
import { printSafely } from "./output";

/** Exit codes of the operator commands, for scripts. */
export const exitCodes = {
  ok: 0,
  /** The run failed, or what was asked for is not so. */
  failed: 1,
  /** The command was used wrongly, or the configuration is wrong. */
  usage: 2,
  /** The stack has nothing that runs. */
  nothing: 3,
  /** The instance or the API could not be reached: nothing is known. */
  unreachable: 4,
  /** The time given was over first. */
  timeout: 5,
  /** `watch`: a limit is reached. */
  limit: 10,
  /** `watch`: the run has ended. */
  ended: 11,
} as const;

/** An end of a command that is not a bug: its message is for the user, its code for scripts. */
export class CommandError extends Error {
  override readonly name = "CommandError";
  constructor(
    message: string,
    readonly exitCode: number = exitCodes.failed,
  ) {
    super(message);
  }
}

/** The part of the help that tells the exit codes. */
const exitCodeHelp = `
Exit codes: 0 done, 1 failed, 2 wrong use, 3 nothing there, 4 not reachable, 5 timed out.`;

/** A command run by `npm run <name>` on a stack, with the options that all of them have. */
export function operatorCommand(name: string, description: string): Command {
  return plainCommand(name, description)
    .option("-s, --stack <name>", "stack to work on (default: the selected one, else dev)")
    .addHelpText("after", exitCodeHelp);
}

/** A command run by `npm run <name>` that works on no stack, or has exit codes of its own. */
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

/** The commands that modules define while they are loaded; none of them runs. */
export function definitionsIn(load: () => void): readonly Command[] {
  const found: Command[] = [];
  collected = found;
  try {
    load();
  } finally {
    collected = undefined;
  }
  return found;
}

/** Reads an option that is a whole number above 0. */
export function wholeNumber(text: string): number {
  if (!/^[1-9]\d*$/.test(text)) throw new InvalidArgumentError("It must be a whole number above 0.");
  return Number(text);
}

/** Runs a command's body; errors for the user are printed without a stack trace. */
export function run(body: () => Promise<number>): void {
  if (collected !== undefined) return;
  printSafely();
  body().then(
    (code) => {
      process.exitCode = code;
    },
    (error: unknown) => {
      process.exitCode = error instanceof CommandError ? error.exitCode : exitCodes.failed;
      console.error(error instanceof Error ? error.message : String(error));
    },
  );
}
