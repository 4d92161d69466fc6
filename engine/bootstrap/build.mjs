import { chmodSync, copyFileSync, mkdirSync, renameSync } from "node:fs";
import { join } from "node:path";
import { Failure, say } from "./failure.mjs";
import { engineBin, findProgram, isFile, root, versions } from "./paths.mjs";
import { logPath, quietly } from "./run.mjs";

const PROGRESS_SECONDS = 10;

const parts = [
  {
    name: "language host",
    module: "language-host",
    main: "github.com/pulumi/pulumi/sdk/v3/nodejs/cmd/pulumi-language-nodejs",
    program: "pulumi-language-nodejs",
    version: versions.languageHost,
    usually: "about half a minute",
  },
  {
    name: "CLI and engine",
    module: "cli",
    main: "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi",
    program: "pulumi",
    version: versions.pulumi,
    usually: "four to seven minutes on two cores",
  },
];

/** The oldest Go that can fetch the newer one which the modules ask for (GOTOOLCHAIN=auto). */
export const OLDEST_GO = "1.21.0";

/** The Go toolchain on PATH or in its usual place: `{ path, version }`, or undefined. */
export async function goToolchain() {
  const path = findProgram("go") ?? ["/usr/local/go/bin/go", "/usr/lib/go/bin/go"].find(isFile);
  if (!path) return undefined;
  const { code, output } = await quietly(path, ["env", "GOVERSION"], { cwd: root, seconds: 20 });
  return code === 0 ? { path, version: output.trim().replace(/^go/, "") } : undefined;
}

/** Builds the CLI and the language host from the Go module proxy into the cache, with the Go of that path. An interrupted build continues. */
export async function buildEngine(go) {
  mkdirSync(engineBin, { recursive: true });
  for (const part of parts) if (!isFile(join(engineBin, part.program))) await build(go, part);
}

async function build(go, part) {
  say(`Pulumi engine: building the ${part.name} from the Go module proxy, once (${part.usually}) …`);
  const target = join(engineBin, part.program);
  const partial = `${target}.partial`;
  const stamp = `-X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=v${part.version}`;
  const flags = ["-mod=readonly", "-trimpath", "-buildvcs=false", "-ldflags", `-s -w ${stamp}`];
  const started = Date.now();
  let fetched = 0;
  let before = 0;
  const watch = setInterval(() => {
    const seconds = Math.round((Date.now() - started) / 1000);
    const doing = fetched > before ? `fetching modules (${fetched})` : "compiling";
    before = fetched;
    say(`  ${part.name}: ${doing}, ${seconds} s`);
  }, PROGRESS_SECONDS * 1000);
  try {
    const { code, output } = await quietly(go, ["build", ...flags, "-o", partial, part.main], {
      cwd: join(root, "engine", part.module),
      // A user's workspace and flags (-mod=vendor, say) have no say here.
      env: { ...process.env, GOWORK: "off", GOFLAGS: "" },
      onLine: (line) => {
        if (line.startsWith("go: downloading")) fetched += 1;
      },
      log: "engine",
    });
    if (code !== 0) {
      const tail = output.trim().split("\n").slice(-8).join("\n");
      throw new Failure(
        `Building the ${part.name} failed (log: ${logPath("engine")}):\n${tail}\nRun this again to go on where it stopped.`,
      );
    }
  } finally {
    clearInterval(watch);
  }
  renameSync(partial, target);
  say(`  ${part.name}: built in ${Math.round((Date.now() - started) / 1000)} s`);
}

/**
 * Puts the starter of the dynamic provider beside an engine of the project's own. The SDK's own starter is found on
 * PATH only, which the engine warns of at every run.
 */
export function placeDynamicProvider() {
  const name = "pulumi-resource-pulumi-nodejs";
  const target = join(engineBin, name);
  if (isFile(target)) return;
  copyFileSync(join(root, "engine", "wrappers", name), `${target}.${process.pid}`);
  chmodSync(`${target}.${process.pid}`, 0o755);
  renameSync(`${target}.${process.pid}`, target);
}
