import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Failure, say } from "./failure.mjs";
import { locked } from "./lock.mjs";
import { cacheFolder, isFile, root, sdkPackage } from "./paths.mjs";
import { vendor } from "./pulumi.mjs";
import { logPath, quietly } from "./run.mjs";

const DOWNLOAD_SECONDS = 120;
const wrapper = join(root, "engine", "wrappers", "pulumi-resource");

/** The resource plugins of the program: name and version, as the installed SDKs ask for them. */
export function wantedPlugins() {
  return ["command", "random"].map((name) => {
    const sdk = sdkPackage(name);
    return { name, version: sdk?.pulumi?.version ?? sdk?.version ?? "unknown" };
  });
}

/** Who made the plugin that is installed in this PULUMI_HOME: "vendor", "compat" (this project), or undefined: none. */
export function installedPlugin(home, { name, version }) {
  const path = join(folderOf(home, name, version), `pulumi-resource-${name}`);
  if (!isFile(path)) return undefined;
  // The vendor's are programs of many megabytes; ours is a short shell script.
  if (statSync(path).size > 10_000) return "vendor";
  return readFileSync(path, "utf8") === readFileSync(wrapper, "utf8") ? "compat" : "outdated";
}

/**
 * Installs missing plugins: the vendor's, or this project's own where the download is refused. A user's own
 * PULUMI_HOME never gets the project's own ones.
 */
export async function readyPlugins({ pulumi, home, ownHome }) {
  const lacking = () =>
    wantedPlugins().filter((plugin) => [undefined, "outdated"].includes(installedPlugin(home, plugin)));
  if (lacking().length === 0) return;
  await locked(join(cacheFolder, "locks", "plugins"), "installing plugins", async () => {
    for (const plugin of lacking()) {
      if (await download(pulumi, home, plugin)) continue;
      // The engine itself tries again, and says what it lacks.
      if (!ownHome) await installCompat(pulumi, home, plugin);
    }
  });
}

async function download(pulumi, home, { name, version }) {
  if (vendor.refused) return false;
  say(`Plugin ${name} ${version}: trying the vendor's download …`);
  const { code } = await pluginInstall(pulumi, home, [name, version, "--reinstall"]);
  vendor.refused = code !== 0;
  return code === 0;
}

async function installCompat(pulumi, home, { name, version }) {
  say(`Plugin ${name} ${version}: not downloaded; using this project's own, which has the types that the stack uses`);
  const folder = mkdtempSync(join(tmpdir(), "lambda-train-plugin-"));
  try {
    const program = join(folder, `pulumi-resource-${name}`);
    copyFileSync(wrapper, program);
    chmodSync(program, 0o755);
    const { code, output } = await pluginInstall(pulumi, home, [name, version, "--reinstall", "--file", folder]);
    if (code !== 0)
      throw new Failure(`Couldn't install the plugin ${name} (log: ${logPath("plugins")}):\n${output.trim()}`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function pluginInstall(pulumi, home, args) {
  mkdirSync(home, { recursive: true });
  return quietly(pulumi.path, ["plugin", "install", "resource", ...args, "--non-interactive"], {
    env: { ...process.env, PULUMI_HOME: home, PULUMI_SKIP_UPDATE_CHECK: "1" },
    seconds: DOWNLOAD_SECONDS,
    log: "plugins",
  });
}

function folderOf(home, name, version) {
  return join(home, "plugins", `resource-${name}-v${version}`);
}
