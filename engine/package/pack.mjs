// Makes the package for npm, lambda-train-<version>.tgz: `npm run package -- [folder for it]`. It is built, has all that it
// needs in it and no dependencies, so that it works offline once it is installed.
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { asInstalled } from "./calls.mjs";
import { declarations } from "./declarations.mjs";

const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
const target = resolve(process.argv[2] ?? root);

/** What the package has of the clone. */
const copied = [
  "configs/experiment.schema.json",
  "engine/bootstrap.mjs",
  "engine/bootstrap",
  "engine/cli",
  "engine/language-host",
  "engine/wrappers",
  "cli/page/browser",
  "scripts/agent",
  "templates/init",
];
/** What of that only a clone needs. */
const left = /(?:^|\/)(?:tests|__pycache__|\.ruff_cache|pyproject\.toml|bundle\.mjs)$/;
/** All projects of a user share the plugins, which are told from older ones by their text. */
const shared = "engine/wrappers/";
/** Files of the page's libraries, which it loads as they are. */
const pageFiles = ["preact", "preact/hooks", "htm/htm.module.js", "uplot/uPlot.esm.js", "uplot/uPlot.min.css"];

const { version, description, license, engines, dependencies } = readPackage(root);
const sdks = ["@pulumi/command", "@pulumi/pulumi", "@pulumi/random"];

/** The package's own package.json. */
const manifest = {
  name: "lambda-train",
  version,
  description,
  license,
  engines,
  bin: { "lambda-train": "engine/bootstrap.mjs" },
  exports: {
    ".": { types: "./dist/library/types/library/index.d.ts", default: "./dist/library/index.js" },
    "./provider": "./dist/library/provider.js",
    "./package.json": "./package.json",
  },
  // Only a program that imports the components brings them.
  peerDependencies: Object.fromEntries(sdks.map((name) => [name, `^${dependencies[name]}`])),
  peerDependenciesMeta: Object.fromEntries(sdks.map((name) => [name, { optional: true }])),
};

const folder = mkdtempSync(join(tmpdir(), "lambda-train-package-"));
try {
  for (const path of copied) copy(path);
  run(process.execPath, [join(root, "engine/bootstrap/bundle.mjs"), "--package", join(folder, "dist")], root);
  declarations(root, join(folder, "dist/library/types"));
  for (const name of pageFiles) copyPageFile(name);
  write("README.md", readFileSync(join(root, "engine/package/README.md")));
  write("package.json", `${JSON.stringify(manifest, undefined, 2)}\n`);
  mkdirSync(target, { recursive: true });
  const [made] = JSON.parse(run("npm", ["pack", "--json", "--pack-destination", target], folder));
  console.log(`${join(target, made.filename)}: ${(made.size / 1e6).toFixed(1)} MB, ${made.entryCount} files`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}

/** Copies a file or folder of the clone, with commands as the package's user types them. */
function copy(path) {
  if (left.test(path)) return;
  const from = join(root, path);
  const info = statSync(from);
  if (info.isDirectory()) for (const name of readdirSync(from)) copy(`${path}/${name}`);
  else {
    const text = readFileSync(from, "utf8");
    write(path, path.startsWith(shared) ? text : asInstalled(text), info.mode);
  }
}

/** Copies a file of a library of the page to where Node.js finds it from the bundles. */
function copyPageFile(name) {
  const [library] = name.split("/");
  const resolved = createRequire(join(root, "package.json")).resolve;
  const home = join(root, "node_modules", library);
  const file = /\.\w+$/.test(name) ? join(dirname(resolved(library)), name.slice(library.length + 1)) : resolved(name);
  for (const each of [file, resolved(library), join(home, "package.json")])
    write(`dist/node_modules/${library}/${each.slice(home.length + 1)}`, readFileSync(each));
}

function write(path, content, mode = 0o644) {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), content, { mode });
}

function readPackage(of) {
  return JSON.parse(readFileSync(join(of, "package.json"), "utf8"));
}

function run(program, args, cwd) {
  const { status, stdout, stderr, error } = spawnSync(program, args, { cwd, encoding: "utf8" });
  if (status !== 0) throw new Error(`${program} ${args.join(" ")} failed: ${error?.message ?? stderr}`);
  return stdout;
}
