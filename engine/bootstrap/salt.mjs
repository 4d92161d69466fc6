import { existsSync, readFileSync } from "node:fs";
import { passphraseFile } from "./environment.mjs";
import { writeWhole } from "./paths.mjs";

/** The text of a stack's file without its salt; unchanged where encrypted values need it. */
export function withoutSalt(text) {
  return /^\s+secure:/m.test(text) ? text : text.replace(/^encryptionsalt: .*\n?/m, "");
}

/**
 * Takes the line `encryptionsalt` out of a stack's file again. The CLI writes it there; it belongs to the
 * passphrase of this checkout alone, so in a committed file it would lock everybody else out and look like a change
 * of the user's. Without it the CLI makes another one at no cost, and the state keeps the one it needs. A file that
 * holds encrypted values needs its salt and keeps it.
 */
export function removeSalt(path, env) {
  if (env.PULUMI_CONFIG_PASSPHRASE_FILE !== passphraseFile) return;
  if (!existsSync(path)) return;
  const text = readFileSync(path, "utf8");
  const clean = withoutSalt(text);
  if (clean !== text) writeWhole(path, clean);
}
