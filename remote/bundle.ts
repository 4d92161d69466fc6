import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { exportLines, shellQuote } from "./quote";
import type { SshSession } from "./session";

const endOfScript = "LAMBDA_TRAIN_END_OF_SCRIPT";

/**
 * Text for `bash -s`: puts the scripts into a folder named after their content (so that a running one is never
 * overwritten), exports the variables and runs the entry with closed standard input. Words may begin with `$HOME/`; a
 * word that names one of the files becomes its path.
 */
export function render(
  files: readonly string[],
  variables: Readonly<Record<string, string>>,
  entry: string,
  words: readonly string[],
): string {
  const quoted = words.map((word) => {
    if (files.includes(word)) {
      return `"$scripts/${word}"`;
    }
    return word.startsWith("$HOME/") ? `"$HOME"/${shellQuote(word.slice(6))}` : shellQuote(word);
  });
  return [
    install(files),
    exportLines(variables),
    `exec bash "$scripts/${entry}" ${quoted.join(" ")} </dev/null\n`,
  ].join("");
}

/** Shell text that puts the files into their folder, unless they are there, and sets `scripts` to it. */
function install(files: readonly string[]): string {
  return [
    "set -euo pipefail\n",
    `scripts="$HOME/${bundleFolder(files)}"\n`,
    'if [ ! -d "$scripts" ]; then\n',
    'umask 022; mkdir -p "$(dirname "$scripts")"\n',
    // On a full disk room that run.sh has kept is given up: without the scripts no results could be fetched.
    'probe="$scripts.room"; for piece in "$HOME"/.lambda-train/reserve/*; do\n',
    'if head -c 262144 /dev/zero >"$probe" 2>/dev/null; then break; fi; rm -f "$piece"; done\n',
    'rm -f "$probe"; new="$(mktemp -d "$scripts.XXXXXX")"; chmod 755 "$new"\n',
    ...files.map((name) => `cat >"$new/${name}" <<'${endOfScript}'\n${scriptText(name)}${endOfScript}\n`),
    'mv -T "$new" "$scripts" 2>/dev/null || rm -rf "$new"\n',
    "fi\n",
  ].join("");
}

/**
 * Makes sure that the files are on the instance and gives the shell word of their folder. Costs one round trip, and the
 * files' text only the first time.
 */
export async function ensureScripts(session: SshSession, files: readonly string[]): Promise<string> {
  const folder = `"$HOME/${bundleFolder(files)}"`;
  const known = installed.get(session) ?? new Set();
  installed.set(session, known);
  if (!known.has(folder)) {
    if ((await session.exec(`test -d ${folder}`)).code !== 0) {
      await session.run("bash -s", "Putting scripts on the instance", { stdin: install(files), timeoutSeconds: 60 });
    }
    known.add(folder);
  }
  return folder;
}

const installed = new WeakMap<SshSession, Set<string>>();

function bundleFolder(files: readonly string[]): string {
  const hash = createHash("sha256");
  for (const name of files) {
    hash.update(`${name}\0${scriptText(name)}\0`);
  }
  return `.lambda-train/scripts/${hash.digest("hex").slice(0, 16)}`;
}

const texts = new Map<string, string>();

/** Text of a file in `scripts/remote/`, which lies beside package.json whether this code runs compiled or not. */
export function scriptText(name: string): string {
  let text = texts.get(name);
  if (text === undefined) {
    let root = __dirname;
    while (!existsSync(join(root, "package.json"))) {
      if (dirname(root) === root) {
        throw new Error(`No package.json above ${__dirname}: the project's folder is incomplete.`);
      }
      root = dirname(root);
    }
    text = readFileSync(join(root, "scripts/remote", name), "utf8");
    texts.set(name, text);
  }
  return text;
}
