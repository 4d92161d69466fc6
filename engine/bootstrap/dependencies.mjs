import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Failure, say } from "./failure.mjs";
import { locked } from "./lock.mjs";
import { npmCommand } from "./node.mjs";
import { localFolder, readJson, root, writeWhole } from "./paths.mjs";
import { logPath, quietly } from "./run.mjs";

const lockfile = join(root, "package-lock.json");
const stamp = join(root, "node_modules", ".lambda-train.json");

/** Makes node_modules what package-lock.json says, by `npm ci` where it is not so yet. */
export async function readyDependencies(node, env) {
  const hash = lockfileHash();
  if (readJson(stamp)?.lockfile === hash) return;
  await locked(join(localFolder, "locks", "dependencies"), "installing npm packages", async () => {
    if (readJson(stamp)?.lockfile === hash) return;
    if (!installed()) await install(node, env);
    writeWhole(stamp, `${JSON.stringify({ lockfile: hash })}\n`);
  });
}

/** Tells whether node_modules is what package-lock.json says. */
export function dependenciesReady() {
  return readJson(stamp)?.lockfile === lockfileHash() || installed();
}

function lockfileHash() {
  return createHash("sha256").update(readFileSync(lockfile)).digest("hex");
}

/** Tells whether somebody (`npm install`, `npm ci`) has installed just these versions already. */
function installed() {
  const present = readJson(join(root, "node_modules", ".package-lock.json"))?.packages;
  const wanted = readJson(lockfile)?.packages;
  if (!present || !wanted) return false;
  return Object.entries(wanted).every(([path, { version, optional, peer, devOptional }]) => {
    if (path === "") return true;
    if (!present[path]) return Boolean(optional || peer || devOptional);
    return present[path].version === version && existsSync(join(root, path));
  });
}

async function install(node, env) {
  const started = Date.now();
  say("npm packages: installing what package-lock.json says …");
  const npm = npmCommand(node.path);
  const args = ["ci", "--no-audit", "--no-fund", "--loglevel=error"];
  const { code, output } = await quietly(npm.program, [...npm.args, ...args], { cwd: root, env, log: "npm" });
  if (code !== 0) throw new Failure(`npm ci failed (log: ${logPath("npm")}):\n${output.trim()}`);
  say(`npm packages: done in ${Math.round((Date.now() - started) / 1000)} s`);
}
