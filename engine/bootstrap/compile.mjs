import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join, relative } from "node:path";
import { Failure, say } from "./failure.mjs";
import { locked } from "./lock.mjs";
import { localFolder, readJson, root, writeWhole } from "./paths.mjs";
import { quietly } from "./run.mjs";

const dist = join(root, "dist");
const stamp = join(dist, ".sources.json");
/** What is bundled. */
const folders = [
  "index.ts",
  "bundles",
  "local",
  "plan",
  "lambda",
  "remote",
  "notices",
  "components",
  "cli",
  "emulator",
  "engine",
];

/** Bundles the sources into dist/ where they differ from what was bundled last. */
export async function readyDist(node, env) {
  const hash = sourcesHash();
  if (readJson(stamp)?.sources === hash) return;
  await locked(join(localFolder, "locks", "compile"), "bundling", async () => {
    if (readJson(stamp)?.sources === hash) return;
    say("TypeScript: bundling …");
    const { code, output } = await quietly(node.path, [join(root, "engine", "bootstrap", "bundle.mjs")], {
      cwd: root,
      env,
    });
    if (code !== 0) throw new Failure(`The sources cannot be bundled:\n${output.trim()}`);
  });
}

/** Notes beside the bundles which sources they are of. */
export function noteSources(hash) {
  writeWhole(stamp, `${JSON.stringify({ sources: hash })}\n`);
}

/** Tells whether the bundles are of the sources as they are now. */
export function isDistFresh() {
  return readJson(stamp)?.sources === sourcesHash();
}

/** One number for all that is bundled. */
export function sourcesHash() {
  const hash = createHash("sha256");
  const add = (path) => hash.update(`${relative(root, path)}\n`).update(readFileSync(path));
  for (const name of ["tsconfig.json", "package-lock.json", "engine/bootstrap/bundle.mjs"]) add(join(root, name));
  for (const path of folders.flatMap((name) => sources(join(root, name)))) add(path);
  return hash.digest("hex");
}

/** All TypeScript files of a folder (or the file itself), in order. */
function sources(path) {
  if (!existsSync(path)) return [];
  if (statSync(path).isFile()) return [path];
  return readdirSync(path, { withFileTypes: true })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      if (entry.isDirectory()) return entry.name === "node_modules" ? [] : sources(join(path, entry.name));
      return entry.name.endsWith(".ts") ? [join(path, entry.name)] : [];
    });
}
