import { join } from "node:path";
import { z } from "zod";
import { keepJson, readJson } from "../../local/json";
import { localFolder } from "../../local/paths";
import { CommandError, exitCodes } from "../terminal/command";

const lastLook = z.object({
  /** ISO 8601 in UTC. */
  at: z.string(),
  /** Exit code of that `watch`. */
  code: z.number(),
  /** What it failed of. */
  error: z.string().optional(),
});

export type LastLook = Readonly<z.infer<typeof lastLook>>;

/** Keeps when `watch` has looked at a stack, and what came of it. */
export async function noting<T extends { readonly code: number }>(stack: string, look: () => Promise<T>): Promise<T> {
  const note = (seen: Omit<LastLook, "at">): void =>
    keepJson(fileOf(stack, localFolder()), { at: new Date().toISOString(), ...seen });
  try {
    const seen = await look();
    note({ code: seen.code });
    return seen;
  } catch (error) {
    const code = error instanceof CommandError ? error.exitCode : exitCodes.failed;
    note({ code, error: (error as Error).message });
    throw error;
  }
}

/** The last look at a stack. @param local The project's local folder. */
export function knownLook(stack: string, local: string): LastLook | undefined {
  return lastLook.safeParse(readJson(fileOf(stack, local))).data;
}

function fileOf(stack: string, local: string): string {
  return join(local, `watched-${stack.replaceAll("/", "-")}.json`);
}
