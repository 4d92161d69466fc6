import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { projectFolder } from "../../local/paths";

let known: string | undefined;

/** Name of the project, as Pulumi.yaml has it: Pulumi keeps a stack's state under it. */
export function projectName(): string {
  known ??= String(parse(readFileSync(join(projectFolder(), "Pulumi.yaml"), "utf8"))?.name);
  return known;
}

/** In a state, a secret is an object with this member. Its value is JSON text, `plaintext` or `ciphertext`. */
export const secretSignature = "4dabf18193072939515e22adb298388d";
