// Bundles the sources into dist/: `npm run build`. What it makes starts in a fraction of the time that the modules take.
// `--package <folder>` bundles the package's part of them into that folder instead: see engine/package/pack.mjs.
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { asInstalled, isForClone } from "../package/calls.mjs";
import { noteSources, sourcesHash } from "./compile.mjs";
import { refusingImport } from "./importing.mjs";

const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
const isPackage = process.argv[2] === "--package";
const dist = isPackage ? process.argv[3] : join(root, "dist");

/** Large packages that most processes never use: each is a bundle of its own. */
const apart = ["fastify", "nodemailer", "ssh2", "undici"];
/** Those of them that modules import which every process loads. They are loaded at their first use. */
const late = ["ssh2", "undici"];

/** Bundles by their place in dist/. */
const entries = {
  "program/index": "bundles/program.ts",
  "program/provider": "bundles/provider.ts",
  "cli/bundle": "bundles/cli.ts",
  ...(isPackage
    ? {}
    : { "emulator/main": "emulator/main.ts", "emulator/router": "emulator/network/router/process.ts" }),
  "engine/plugins/command/main": "engine/plugins/command/main.ts",
  "engine/plugins/random/main": "engine/plugins/random/main.ts",
  // Where Node.js looks for a package from all of the above.
  ...Object.fromEntries(apart.map((name) => [`node_modules/${name}/index`, name])),
};

/** Parts of packages, by their files, that nothing here uses and that take half of the time of a start. */
const trimmed = {
  "@pulumi/pulumi/automation/index.js": "",
  // Texts of providers are written out here, not made from functions.
  "@pulumi/pulumi/runtime/closure/serializeClosure.js": "",
  "@pulumi/pulumi/runtime/closure/codePaths.js": "",
  "@pulumi/pulumi/runtime/closure/v8Hooks.js": "exports.isInitializedAsync = async () => {};",
  // Spans go to Zipkin alone.
  "@pulumi/pulumi/cmd/run/tracing.js":
    "const nothing = () => {}; exports.newSpan = () => ({ end: nothing, addEvent: nothing, setAttribute: nothing });" +
    "exports.start = exports.stop = nothing;",
  "@pulumi/pulumi/cmd/dynamic-provider/index.js": (text) => refusingImport(text, isPackage ? asInstalled : String),
  // There are no source maps beside a bundle, and it looks for them at each promise of the SDK.
  "source-map-support/register.js": "",
  // It takes the stack of each promise, for a setting of its own.
  "@pulumi/pulumi/runtime/debuggable.js": (text) =>
    text.replace("new Error().stack", "exports.debugPromiseLeaks && new Error().stack"),
  // Lines of a bundle tell nothing. The state would hold them, and change with each bundle.
  "@pulumi/pulumi/resource.js": (text) => text.replace("Resource.stackTrace(4)", "[]"),
  // Messages in other languages.
  "zod/v4/locales/index.js": "",
};

const trim = {
  name: "trim",
  setup({ onLoad }) {
    const names = Object.keys(trimmed).map((name) => name.replaceAll(/[.]/g, "\\$&"));
    onLoad({ filter: new RegExp(`/node_modules/(?:${names.join("|")})$`) }, ({ path }) => {
      const instead = trimmed[path.slice(path.lastIndexOf("/node_modules/") + "/node_modules/".length)];
      return { contents: typeof instead === "string" ? instead : instead(readFileSync(path, "utf8")), loader: "js" };
    });
  },
};

/** Commands as the package's user types them. */
const calls = {
  name: "calls",
  setup({ onLoad }) {
    onLoad({ filter: /\.ts$/ }, ({ path }) =>
      path.includes("/node_modules/") ? undefined : { contents: asInstalled(readFileSync(path, "utf8")), loader: "ts" },
    );
  },
};

const separate = {
  name: "separate",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: new RegExp(`^(?:${apart.join("|")})$`) }, ({ path, namespace, kind }) => {
      if (kind === "entry-point") return undefined;
      return late.includes(path) && namespace !== "late" ? { path, namespace: "late" } : { path, external: true };
    });
    onLoad({ filter: /./, namespace: "late" }, ({ path }) => ({
      contents: Object.keys(createRequire(import.meta.url)(path))
        .map(
          (name) =>
            `Object.defineProperty(exports, "${name}", { enumerable: true, get: () => require("${path}").${name} });`,
        )
        .join("\n"),
    }));
  },
};

/** What Node.js still finds in node_modules: native parts, and what the SDK loads for traces of OpenTelemetry. */
const external = [
  "*.node",
  "cpu-features",
  ...["core", "instrumentation", "instrumentation-grpc", "resources", "sdk-trace-base", "sdk-trace-node"].map(
    telemetry,
  ),
  ...["semantic-conventions", "exporter-trace-otlp-grpc"].map(telemetry),
  // With `PULUMI_NODEJS_TYPESCRIPT`, which `start` of the program takes away.
  "typescript",
];

function telemetry(name) {
  return `@opentelemetry/${name}`;
}

const sdk = (name) => JSON.parse(readFileSync(join(root, "node_modules", "@pulumi", name, "package.json"), "utf8"));
const version = ({ version, pulumi }) => ({ version, pulumi });

/** A process of the engine's. In a clone, a plain `pulumi` may find the bundles older than the sources: see fresh.mjs. */
const started = (bundle) => {
  const start = `require("../../../../../${bundle}.js").start()`;
  if (isPackage) return `${compiled}\n${start};\n`;
  const fresh = `import("../../../../../../../engine/bootstrap/fresh.mjs").then(({ freshDist }) => freshDist("${bundle}"))`;
  return `${compiled}\nif (process.env.LAMBDA_TRAIN_BUILT) ${start};\nelse ${fresh}.then(() => ${start});\n`;
};

/** Keeps what V8 makes of a bundle, also where nothing has set `NODE_COMPILE_CACHE`. */
const compiled = 'require("node:module").enableCompileCache?.();';

/** Small files that lead to the bundles from where the engine looks for a program, an SDK and its plugins. */
const pointers = {
  "program/package.json": JSON.stringify({ name: "lambda-train", main: "index.js" }),
  // The same for the provider process of a program of somebody else's.
  ...(isPackage
    ? {
        "library/provider.js":
          'exports.provider = require("../program/provider.js").provider;\nrequire("../program/provider.js").begin();\n',
      }
    : {}),
  // The place that the texts in the states name.
  "components/dynamic/provider.js": 'exports.provider = require("../../program/provider.js").provider;\n',
  "program/node_modules/@pulumi/pulumi/package.json": JSON.stringify({
    name: "@pulumi/pulumi",
    ...version(sdk("pulumi")),
  }),
  "program/node_modules/@pulumi/pulumi/cmd/run/index.js": started("index"),
  "program/node_modules/@pulumi/pulumi/cmd/dynamic-provider/index.js": started("provider"),
  ...Object.fromEntries(
    ["command", "random"].map((name) => [
      `program/node_modules/@pulumi/${name}/package.json`,
      JSON.stringify({ name: `@pulumi/${name}`, ...version(sdk(name)) }),
    ]),
  ),
  ...Object.fromEntries(
    readdirSync(join(root, "cli"))
      .filter((name) => name.endsWith(".ts"))
      .map((name) => name.slice(0, -".ts".length))
      .filter((name) => !isPackage || !isForClone(name))
      .map((name) => [`cli/${name}.js`, `require("./bundle.js").command(${JSON.stringify(name)});\n`]),
  ),
};

const settings = {
  absWorkingDir: root,
  outdir: dist,
  bundle: true,
  platform: "node",
  target: "node22",
  format: "cjs",
  plugins: [trim, separate, ...(isPackage ? [calls] : [])],
  minifyWhitespace: true,
  logLevel: "error",
};
const sources = isPackage ? undefined : sourcesHash();
await build({ ...settings, entryPoints: entries, external });
// The components, for a program that brings the SDK.
const library = isPackage ? { "library/index": "library/index.ts" } : {};
if (isPackage) await build({ ...settings, entryPoints: library, external: [...external, "@pulumi/*"] });
for (const [path, text] of Object.entries(pointers)) {
  mkdirSync(join(dist, dirname(path)), { recursive: true });
  writeFileSync(join(dist, path), text);
}
const made = new Set([
  ".sources.json",
  ...Object.keys({ ...entries, ...library }).map((name) => `${name}.js`),
  ...Object.keys(pointers),
]);
removeOthers(dist);
if (sources !== undefined) noteSources(sources);

/** Removes what earlier sources or releases have left. */
function removeOthers(folder) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (!entry.isDirectory()) {
      if (!made.has(relative(dist, path))) rmSync(path);
    } else if (![...made].some((name) => name.startsWith(`${relative(dist, path)}/`)))
      rmSync(path, { recursive: true });
    else removeOthers(path);
  }
}
