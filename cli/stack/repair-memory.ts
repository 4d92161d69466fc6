import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { readJson } from "../../local/json";
import { localFolder } from "../../local/paths";
import type { MachineView } from "./stack-view";

const memory = z.object({
  /** Unique names that the machines had. A stack that was ended, by `pulumi` itself too, has others when it comes up again. */
  names: z.array(z.string()).default([]),
  /** Repairs without a look in between at which nothing was lost. */
  inRow: z.number().default(0),
  /** The last one failed: the state may know no instance any more. */
  failed: z.boolean().default(false),
  /** Dollars that lost instances have cost, and their ids. */
  spent: z.number().default(0),
  counted: z.array(z.string()).default([]),
});

/** What the next look at a stack must know of the repairs before, also where each look is a process of its own. */
export type RepairMemory = Readonly<z.infer<typeof memory>>;

/** Machines by whose names a stack is told from one that had the same name before it. */
type Named = readonly Pick<MachineView, "claims">[];

/** What is known of the repairs of a stack that has these machines. */
export function knownRepairs(stack: string, machines: Named): RepairMemory {
  const found = read(stack);
  return namesOf(machines).some((name) => found.names.includes(name)) ? found : memory.parse({});
}

/** Whether a repair has failed, of the stack as it is now or of one before it. */
export function mayHaveFailed(stack: string): boolean {
  return read(stack).failed;
}

/** Changes what is known of them. @throws Error where that can't be written: repairs that nobody counts have no end */
export function noteRepairs(stack: string, machines: Named, change: Partial<Omit<RepairMemory, "names">>): void {
  mkdirSync(localFolder(), { recursive: true });
  const noted = { ...knownRepairs(stack, machines), ...change, names: namesOf(machines) };
  writeFileSync(fileOf(stack), JSON.stringify(noted));
}

function read(stack: string): RepairMemory {
  return memory.safeParse(readJson(fileOf(stack))).data ?? memory.parse({});
}

function namesOf(machines: Named): string[] {
  return machines.flatMap(({ claims }) => claims?.names ?? []);
}

/** The stack is gone. */
export function forgetRepairs(stack: string): void {
  rmSync(fileOf(stack), { force: true });
}

function fileOf(stack: string): string {
  return join(localFolder(), `repairs-${stack.replaceAll("/", "-")}.json`);
}
