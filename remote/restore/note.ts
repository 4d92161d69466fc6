import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { z } from "zod";
import { hashText } from "../../local/folder/hashes";
import { parseJson } from "../../local/json";
import { localFolder } from "../../local/paths";

const noteSchema = z.object({ instanceId: z.string(), source: z.string() });

function noteFile(folder: string): string {
  return join(localFolder(), "restored", `${hashText(resolve(folder))}.json`);
}

/**
 * Notes that all results of a folder were put back on an instance, on which their run goes on: what that brings home then
 * takes their place. Known here alone, since an instance could claim anything.
 * @param source As the results' record has it.
 */
export function noteRestored(folder: string, instanceId: string, source: string): void {
  mkdirSync(join(localFolder(), "restored"), { recursive: true });
  writeFileSync(noteFile(folder), JSON.stringify({ instanceId, source }));
}

/** The source of the results with which a run on an instance goes on; undefined where there are none. */
export function restoredSource(folder: string, instanceId: string): string | undefined {
  try {
    const { data } = noteSchema.safeParse(parseJson(readFileSync(noteFile(folder), "utf8")));
    return data?.instanceId === instanceId ? data.source : undefined;
  } catch {
    return undefined;
  }
}
