import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "commander";
import { projectFolder } from "../../local/paths";
import { definitionsIn } from "./command";

/** The operator commands by name, as their own files define them. None of them runs. */
export async function definedCommands(): Promise<ReadonlyMap<string, Command>> {
  const found = new Map<string, Command>();
  for (const file of readdirSync(join(projectFolder(), "cli"))) {
    const name = /^([a-z-]+)\.ts$/.exec(file)?.[1];
    if (name === undefined || !isLoadable(name)) continue;
    for (const command of await definitionsIn(() => import(`../${name}.ts`))) found.set(name, command);
  }
  return found;
}

/** Whether a file defines its command so that loading it does not run it. */
function isLoadable(name: string): boolean {
  const text = readFileSync(join(projectFolder(), "cli", `${name}.ts`), "utf8");
  return /= (?:operator|plain|choosing)Command\(/.test(text) && /^run\(/m.test(text);
}
