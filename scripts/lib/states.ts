import { pulumiOutput } from "./pulumi";

/** How many exports run at once. */
const atOnce = 4;

/**
 * Everything that the states of all stacks of the backend hold, as text, secrets encrypted.
 * @throws Error where one cannot be read: then nothing can be said to be unknown.
 */
export async function allStates(): Promise<string[]> {
  const stacks = JSON.parse(await pulumiOutput(["stack", "ls", "--all", "--json"])) as { readonly name: string }[];
  const texts: string[] = [];
  for (let from = 0; from < stacks.length; from += atOnce) {
    const some = stacks.slice(from, from + atOnce);
    texts.push(...(await Promise.all(some.map(({ name }) => pulumiOutput(["stack", "export", "--stack", name])))));
  }
  return texts;
}
