import { Client } from "ssh2";
import { Agent } from "undici";
import { openWay } from "../../lambda/account/way";
import { CommandError, exitCodes } from "../terminal/command";
import { setLastLine } from "../terminal/last-lines";
import { viewOf } from "./exported";
import { idleLine } from "./idle";
import { stateOf } from "./local-state";
import { sideBySide } from "./of-each";
import { pulumiOutput, stackName } from "./pulumi";
import { maskSecrets } from "./secrets";
import { connectStack } from "./stack-cloud";
import type { StackView } from "./stack-view";

/**
 * Reads the stack's state, and sees that the firewalls let this machine in.
 * @throws CommandError when there is no such stack.
 */
export async function stackView(named: string | undefined): Promise<StackView> {
  const view = await readView(await stackName(named));
  const { endpoint } = view;
  const opening = sideBySide(view.machines, async ({ instance, access }) => {
    if (instance === undefined || access === undefined) return;
    await openWay({ id: instance.id, access, endpoint }, () => connectStack(view), console.error);
  });
  await Promise.all(opening);
  return view;
}

/**
 * Reads the stack's state alone. The command that does so names at its end what is billed for nothing.
 * @throws CommandError when there is no such stack.
 */
export async function readView(stack: string): Promise<StackView> {
  const view = await readState(stack);
  maskSecrets(view);
  setLastLine(stack, () => idleLine(view, Date.now()));
  return view;
}

async function readState(stack: string): Promise<StackView> {
  const reading = stateOf(stack);
  // While the passphrase becomes a key, which takes a core of its own 150 ms.
  setImmediate(() => [Client, Agent]);
  const here = await reading;
  if (here !== undefined) return viewOf(stack, here);
  try {
    return viewOf(stack, await pulumiOutput(["stack", "export", "--show-secrets", "--stack", stack]));
  } catch (error) {
    if (!/no stack named/.test((error as Error).message)) throw error;
    throw new CommandError(`There is no stack ${stack}. \`npm run up\` creates it.`, exitCodes.nothing);
  }
}
