import { type Stray, straysAmong } from "../../lambda/account/strays";
import type { Instance } from "../../lambda/api/schemas";
import { claimsOfExport } from "./claims";
import { pulumiOutput } from "./pulumi";

/** How many exports run at once. */
const atOnce = 4;

/** The state of a stack. */
export interface StackState {
  readonly stack: string;
  /** As `pulumi stack export` prints it, secrets encrypted. */
  readonly text: string;
}

/**
 * The states of all stacks of the backend.
 * @throws Error where one cannot be read: then nothing can be said to be unknown.
 */
export async function allStates(): Promise<StackState[]> {
  const stacks = JSON.parse(await pulumiOutput(["stack", "ls", "--all", "--json"])) as { readonly name: string }[];
  const states: StackState[] = [];
  for (let from = 0; from < stacks.length; from += atOnce) {
    const some = stacks.slice(from, from + atOnce);
    const exported = some.map(async ({ name: stack }) => {
      return { stack, text: await pulumiOutput(["stack", "export", "--stack", stack]) };
    });
    states.push(...(await Promise.all(exported)));
  }
  return states;
}

/** A stray, and the stack whose state knows its name. */
export interface KnownStray extends Stray {
  readonly stack: string;
}

/** Instances that carry the unique name of a stack, and that its state does not know. */
export function straysOf(instances: readonly Instance[], states: readonly StackState[]): KnownStray[] {
  const claims = states.map(({ stack, text }) => ({ stack, ...claimsOfExport(text) }));
  const instanceIds = claims.flatMap(({ instanceIds: ids }) => ids);
  return claims.flatMap(({ stack, names }) =>
    straysAmong(instances, { names, instanceIds }).map((stray) => ({ ...stray, stack })),
  );
}
