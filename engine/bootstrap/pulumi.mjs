import { statSync } from "node:fs";
import { dirname, join } from "node:path";
import { buildEngine, goToolchain, OLDEST_GO } from "./build.mjs";
import { Failure, say } from "./failure.mjs";
import { locked } from "./lock.mjs";
import {
  atLeast,
  cacheFolder,
  engineBin,
  findProgram,
  isFile,
  oldest,
  readJson,
  versions,
  writeWhole,
} from "./paths.mjs";
import { quietly } from "./run.mjs";
import { downloadEngine } from "./vendor.mjs";

/** What this run learned of the vendor's download site: what it refused once need not be asked for again at once. */
export const vendor = { refused: false };

/** Where the last choice of the CLI on PATH is kept, so that its version need not be asked for again. */
const choice = join(cacheFolder, "engine", "path.json");
/** Where an engine in the cache came from. */
export const origin = join(dirname(engineBin), "origin.json");

/**
 * The Pulumi CLI with its language host: the one on PATH, else the vendor's download, else built from the Go module
 * proxy. `prepare: false` only looks.
 * @returns `{ source: "path" | "vendor" | "go", version, bin, path, host }`, where `path` and `host` are the programs; undefined where there is none
 */
export async function readyPulumi({ prepare = true } = {}) {
  const own = await onPath();
  if (own) return own;
  const cached = inCache();
  if (cached || !prepare) return cached;
  await locked(join(cacheFolder, "locks", "engine"), "installing the Pulumi engine", async () => {
    if (inCache()) return;
    say("Pulumi engine: no suitable one on PATH; trying the vendor's download …");
    const started = Date.now();
    const refused = await downloadEngine();
    vendor.refused = refused !== undefined;
    if (refused === undefined) return keepOrigin("vendor", started);
    say(`Pulumi engine: not downloaded (${refused})`);
    const go = await goToolchain();
    if (!go || !atLeast(go.version, OLDEST_GO))
      throw new Failure(
        [
          "The Pulumi engine is missing. Do one of these:",
          "  - install it: https://www.pulumi.com/docs/install/",
          "  - let this machine reach get.pulumi.com, and run this again",
          `  - install Go ${OLDEST_GO} or newer (it downloads the version that the engine needs, unless GOTOOLCHAIN=local), and run this again:`,
          "    the engine is then built from the Go module proxy",
        ].join("\n"),
      );
    await buildEngine(go.path);
    keepOrigin("go", started);
  });
  return inCache();
}

async function onPath() {
  const path = findProgram("pulumi", [engineBin]);
  if (!path) return undefined;
  const { size, mtimeMs } = statSync(path);
  const known = readJson(choice);
  let version = known?.path === path && known.size === size && known.mtimeMs === mtimeMs ? known.version : undefined;
  if (!version) {
    const { code, output } = await quietly(path, ["version"], { seconds: 20 });
    version = code === 0 ? (output.match(/^v?\d+\.\d+\.\d+\S*/m)?.[0] ?? "unknown") : "unknown";
    writeWhole(choice, `${JSON.stringify({ path, size, mtimeMs, version })}\n`);
  }
  const bin = dirname(path);
  const beside = join(bin, "pulumi-language-nodejs");
  const host = isFile(beside) ? beside : findProgram("pulumi-language-nodejs", [engineBin]);
  if (version === "unknown" || !atLeast(version, oldest.pulumi) || !host) return undefined;
  return { source: "path", version, bin, path, host };
}

function inCache() {
  const path = join(engineBin, "pulumi");
  const source = readJson(origin)?.source;
  const host = join(engineBin, "pulumi-language-nodejs");
  if (!source || !isFile(path) || !isFile(host)) return undefined;
  return { source, version: `v${versions.pulumi}`, bin: engineBin, path, host };
}

function keepOrigin(source, started) {
  const seconds = Math.round((Date.now() - started) / 1000);
  writeWhole(origin, `${JSON.stringify({ source, seconds, at: new Date().toISOString() })}\n`);
  say(`Pulumi engine: ready in ${seconds} s`);
}
