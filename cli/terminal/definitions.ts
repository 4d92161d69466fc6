import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "commander";
import { packageFolder } from "../../local/paths";
import { definitionsIn } from "./command";

/** The operator commands by name, as their own files define them. None of them runs. */
export async function definedCommands(): Promise<ReadonlyMap<string, Command>> {
  const found = new Map<string, Command>();
  const sources = readdirSync(join(packageFolder(), "cli")).filter((file) => file.endsWith(".ts"));
  // The package has what is built of them.
  const files = sources.length > 0 ? sources : readdirSync(join(packageFolder(), "dist", "cli"));
  for (const file of files) {
    const name = /^([a-z-]+)\.[jt]s$/.exec(file)?.[1];
    if (name === undefined || !isLoadable(name)) continue;
    for (const command of await definitionsIn(() => import(`../${name}.ts`))) found.set(name, command);
  }
  return found;
}

/** Whether a file defines its command so that loading it does not run it. */
function isLoadable(name: string): boolean {
  const source = join(packageFolder(), "cli", `${name}.ts`);
  if (!existsSync(source)) return !["bundle", "pulumi"].includes(name);
  const text = readFileSync(source, "utf8");
  return /= (?:operator|plain|choosing)Command\(/.test(text) && /^run\(/m.test(text);
}
