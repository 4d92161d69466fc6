import { CommandError, exitCodes } from "../terminal/command";
import { pulumiOutput, stackName } from "./pulumi";
import { type StackView, viewOf } from "./stack-view";
import { openWay } from "./way";

/**
 * Reads the stack's state, and sees that the firewall lets this machine in.
 * @throws CommandError when there is no such stack.
 */
export async function stackView(named: string | undefined): Promise<StackView> {
  const view = await readView(await stackName(named));
  await openWay(view);
  return view;
}

/**
 * Reads the stack's state alone.
 * @throws CommandError when there is no such stack.
 */
export async function readView(stack: string): Promise<StackView> {
  try {
    return viewOf(stack, await pulumiOutput(["stack", "export", "--show-secrets", "--stack", stack]));
  } catch (error) {
    if (!/no stack named/.test((error as Error).message)) throw error;
    throw new CommandError(`There is no stack ${stack}. \`npm run up\` creates it.`, exitCodes.nothing);
  }
}
