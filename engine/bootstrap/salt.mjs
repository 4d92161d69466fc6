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
 *
 * With the salt the CLI writes the rest anew, numbers in quotes. What says the same as before gets its old text.
 * @param before Text of the file before the command
 */
export function removeSalt(path, env, before) {
  if (env.PULUMI_CONFIG_PASSPHRASE_FILE !== passphraseFile) return;
  if (!existsSync(path)) return;
  const text = readFileSync(path, "utf8");
  const salted = withoutSalt(text);
  const clean = before !== undefined && isSame(salted, before) ? before : salted;
  if (clean !== text) writeWhole(path, clean);
}

/** The text of a stack's file; undefined where there is none. */
export function stackFileText(path) {
  return existsSync(path) ? readFileSync(path, "utf8") : undefined;
}

/** Whether two texts of a stack's file differ in quotes and white space alone, and in the salt. */
function isSame(left, right) {
  const bare = (text) => withoutSalt(text).replaceAll(/["'\s]/g, "");
  return bare(left) === bare(right) && !/^encryptionsalt:/m.test(right);
}
