import { existsSync } from "node:fs";
import { join } from "node:path";
import { goToolchain } from "./build.mjs";
import { callOf } from "./commands.mjs";
import { dependenciesReady } from "./dependencies.mjs";
import { backendOf, embeddedStack, isEmulated } from "./environment.mjs";
import { readyNode } from "./node.mjs";
import { isInstalled, oldest, project, sdkPackage, versions } from "./paths.mjs";
import { installedPlugin, wantedPlugins } from "./plugins.mjs";
import { readyPulumi } from "./pulumi.mjs";
import { installCommand, missingPackages, systemPackages } from "./system.mjs";

const setup = callOf("setup");
/** The package has its npm packages in it. */
const install = isInstalled ? "npm install" : "npm ci";
const sources = {
  path: "installed on this machine",
  vendor: "the vendor's download",
  go: "built from the Go module proxy",
  compat: "this project's own, which stands in for the vendor's",
};

/**
 * What the project runs on here. Only looks.
 * @returns a list of `{ name, state, version?, source?, remedy? }`; state is `ok`, `missing` (needed, with the command
 * that brings it) or `absent` (not needed as things are)
 */
export async function parts() {
  const [node, pulumi, go] = await Promise.all([
    readyNode({ prepare: false }),
    readyPulumi({ prepare: false }),
    goToolchain(),
  ]);
  const sdk = sdkPackage("pulumi");
  return [
    part("Node.js", node && { version: node.version, source: `${node.source} (${node.path})` }, setup),
    ...(isInstalled ? [] : [part("npm packages", dependenciesReady() && { source: "package-lock.json" }, install)]),
    part("Pulumi CLI and engine", pulumi && { version: pulumi.version, source: origin(pulumi, pulumi.path) }, setup),
    part(
      "Node.js language host",
      pulumi && { version: hostVersion(pulumi), source: origin(pulumi, pulumi.host) },
      setup,
    ),
    part("dynamic provider", sdk && { version: `v${sdk.version}`, source: "npm package @pulumi/pulumi" }, install),
    ...plugins(pulumi),
    go
      ? { name: "Go", state: "ok", version: `v${go.version}`, source: go.path }
      : {
          name: "Go",
          state: pulumi ? "absent" : "missing",
          source: "needed only where the engine has to be built",
          remedy: `install Go from go.dev or your system's packages, or Pulumi ${oldest.pulumi} or newer`,
        },
    // The package has no emulated cloud.
    ...(isInstalled ? [] : await system()),
  ];
}

function part(name, found, remedy) {
  return found ? { name, state: "ok", ...found } : { name, state: "missing", remedy };
}

function origin(pulumi, path) {
  return `${sources[pulumi.source]} (${path})`;
}

/** Only the host that is built here has a version of its own. */
function hostVersion(pulumi) {
  return pulumi.source === "go" ? `v${versions.languageHost}` : pulumi.version;
}

function plugins(pulumi) {
  const { home } = backendOf(pulumi, embeddedStack);
  return wantedPlugins().map(({ name, version }) => {
    const source = sources[installedPlugin(home, { name, version })];
    return part(`plugin ${name}`, source && { version: `v${version}`, source }, setup);
  });
}

async function system() {
  const missing = process.platform === "linux" ? await missingPackages() : Object.keys(systemPackages);
  const needed = existsSync(join(project, "Pulumi.yaml")) && isEmulated(embeddedStack);
  return Object.keys(systemPackages).map((name) => ({
    name: `package ${name}`,
    state: missing.includes(name) ? (needed ? "missing" : "absent") : "ok",
    source: "for the emulated cloud",
    ...(missing.includes(name) ? { remedy: installCommand([name]) } : {}),
  }));
}
