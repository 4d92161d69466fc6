import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { join, relative } from "node:path";
import { Failure, say } from "./failure.mjs";
import { locked } from "./lock.mjs";
import { localFolder, readJson, root, writeWhole } from "./paths.mjs";
import { quietly } from "./run.mjs";

const dist = join(root, "dist");
const stamp = join(dist, ".sources.json");

/** Compiles the sources into dist/ where they differ from what was compiled last. */
export async function readyDist(node, env) {
  const hash = sourcesHash();
  if (readJson(stamp)?.sources === hash) return;
  await locked(join(localFolder, "locks", "compile"), "compiling", async () => {
    if (readJson(stamp)?.sources === hash) return;
    say("TypeScript: compiling …");
    const tsc = join(root, "node_modules", "typescript", "lib", "tsc.js");
    const { code, output } = await quietly(node.path, [tsc, "-p", "tsconfig.build.json"], { cwd: root, env });
    if (code !== 0) throw new Failure(`The sources do not compile:\n${output.trim()}`);
    removeOrphans();
    writeWhole(stamp, `${JSON.stringify({ sources: hash })}\n`);
  });
}

function sourcesHash() {
  const { include, compilerOptions } = readJson(join(root, "tsconfig.build.json"));
  const hash = createHash("sha256").update(JSON.stringify([include, compilerOptions]));
  const add = (path) => hash.update(`${relative(root, path)}\n`).update(readFileSync(path));
  for (const name of ["tsconfig.json", "tsconfig.build.json", "package-lock.json"]) add(join(root, name));
  for (const path of include.flatMap((name) => sources(join(root, name)))) add(path);
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

/** Removes what was compiled from sources that are gone. */
function removeOrphans(folder = dist) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) removeOrphans(path);
    else if (/\.js(\.map)?$/.test(entry.name)) {
      const source = join(root, relative(dist, path).replace(/\.js(\.map)?$/, ".ts"));
      if (!existsSync(source)) rmSync(path);
    }
  }
}
