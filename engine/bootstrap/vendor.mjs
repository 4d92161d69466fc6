import { chmodSync, existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { engineBin, findProgram, isFile, versions } from "./paths.mjs";
import { quietly } from "./run.mjs";

const CONNECT_SECONDS = 5;
const DOWNLOAD_SECONDS = 900;

/**
 * Fetches the release archive of the pinned version from Pulumi's own download site, over TLS, into the cache.
 * @returns undefined when it is there and runs; else why not, in a few words
 */
export async function downloadEngine() {
  const curl = findProgram("curl");
  const tar = findProgram("tar");
  if (!curl || !tar) return `${curl ? "tar" : "curl"} is not installed`;
  const arch = { x64: "x64", arm64: "arm64" }[process.arch];
  if (!arch || !["linux", "darwin"].includes(process.platform)) return `no archive for ${process.platform}`;
  const url = `https://get.pulumi.com/releases/sdk/pulumi-v${versions.pulumi}-${process.platform}-${arch}.tar.gz`;
  const partial = `${dirname(engineBin)}.download`;
  rmSync(partial, { recursive: true, force: true });
  mkdirSync(partial, { recursive: true });
  try {
    const archive = join(partial, "pulumi.tar.gz");
    const limits = ["--connect-timeout", String(CONNECT_SECONDS), "--max-time", String(DOWNLOAD_SECONDS)];
    // A stream that stalls is given up as a refused one is.
    const stall = ["--speed-limit", "1000", "--speed-time", "20"];
    const fetched = await quietly(curl, ["-fsSL", ...limits, ...stall, "-o", archive, url]);
    if (fetched.code !== 0) return fetched.output.trim().split("\n").pop() || `curl failed with ${fetched.code}`;
    const unpacked = await quietly(tar, ["-xzf", archive, "-C", partial]);
    if (unpacked.code !== 0) return "the archive cannot be unpacked";
    const folder = [join(partial, "pulumi", "bin"), join(partial, "pulumi")].find((path) =>
      isFile(join(path, "pulumi")),
    );
    if (!folder || !isFile(join(folder, "pulumi-language-nodejs")))
      return "the archive lacks the CLI or its language host";
    chmodSync(join(folder, "pulumi"), 0o755);
    const tried = await quietly(join(folder, "pulumi"), ["version"], { seconds: 20 });
    if (tried.code !== 0 || !tried.output.includes(versions.pulumi)) return "the downloaded CLI does not run here";
    mkdirSync(dirname(engineBin), { recursive: true });
    if (existsSync(engineBin)) rmSync(engineBin, { recursive: true });
    renameSync(folder, engineBin);
    return undefined;
  } finally {
    rmSync(partial, { recursive: true, force: true });
  }
}
