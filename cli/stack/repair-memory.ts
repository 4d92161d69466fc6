import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { readJson } from "../../local/json";
import { localFolder } from "../../local/paths";

const memory = z.object({
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

/** What is known of a stack's repairs. */
export function knownRepairs(stack: string): RepairMemory {
  return memory.safeParse(readJson(fileOf(stack))).data ?? memory.parse({});
}

/** Changes what is known of them. @throws Error where that can't be written: repairs that nobody counts have no end */
export function noteRepairs(stack: string, change: Partial<RepairMemory>): void {
  mkdirSync(localFolder(), { recursive: true });
  writeFileSync(fileOf(stack), JSON.stringify({ ...knownRepairs(stack), ...change }));
}

/** The stack is gone. */
export function forgetRepairs(stack: string): void {
  rmSync(fileOf(stack), { force: true });
}

function fileOf(stack: string): string {
  return join(localFolder(), `repairs-${stack.replaceAll("/", "-")}.json`);
}
