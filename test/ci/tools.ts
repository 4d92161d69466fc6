import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { delimiter, join, resolve } from "node:path";
import { cacheFolder } from "../../local/paths";

const version = "1.7.12";
const ruffVersion = "0.17.6";

/** Path of a program on PATH or in one of the usual places, or an error that says what to install. */
export function findProgram(name: string, remedy: string, places: readonly string[] = []): string {
  const folders = [...(process.env.PATH ?? "").split(delimiter).filter((folder) => folder !== ""), ...places];
  const path = folders.map((folder) => join(folder, name)).find((candidate) => existsSync(candidate));
  if (path === undefined) throw new Error(`${name} is missing: ${remedy}`);
  return path;
}

/** actionlint of the pinned version, built once from the Go module proxy into the cache. */
export function actionlint(): string {
  const folder = resolve(cacheFolder(), "tools");
  const path = join(folder, `actionlint-v${version}`);
  if (existsSync(path)) return path;
  const go = findProgram("go", "install Go 1.21 or newer (apt-get install golang, or go.dev/dl) to build actionlint.", [
    "/usr/local/go/bin",
    "/usr/lib/go/bin",
  ]);
  mkdirSync(folder, { recursive: true });
  const made = mkdtempSync(join(folder, "build-"));
  try {
    const env = { ...process.env, GOBIN: made, GOFLAGS: "", GOWORK: "off" };
    execFileSync(go, ["install", `github.com/rhysd/actionlint/cmd/actionlint@v${version}`], { env, stdio: "pipe" });
    renameSync(join(made, "actionlint"), path);
  } finally {
    rmSync(made, { recursive: true, force: true });
  }
  return path;
}

/** ruff of the pinned version, installed once with pip into the cache. */
export function ruff(): string {
  const folder = resolve(cacheFolder(), "tools");
  const place = join(folder, `ruff-v${ruffVersion}`);
  const path = join(place, "bin/ruff");
  if (existsSync(path)) return path;
  mkdirSync(folder, { recursive: true });
  const made = mkdtempSync(join(folder, "build-"));
  try {
    const words = ["-m", "pip", "install", "--quiet", "--no-deps", "--target", made, `ruff==${ruffVersion}`];
    execFileSync("python3", words, { stdio: "pipe" });
    renameSync(made, place);
  } finally {
    rmSync(made, { recursive: true, force: true });
  }
  return path;
}
