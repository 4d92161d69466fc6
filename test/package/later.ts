import { execFileSync } from "node:child_process";
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/**
 * Packs the package anew as a later release has it: with another version, and an agent and a program that do the same and
 * aren't the same. Gives the tarball's path.
 */
export function packLater(tarball: string, version: string, target: string): string {
  const folder = mkdtempSync(join(tmpdir(), "lambda-train-later-"));
  try {
    execFileSync("tar", ["-xzf", tarball, "-C", folder]);
    const unpacked = join(folder, "package");
    const manifest = join(unpacked, "package.json");
    writeFileSync(manifest, JSON.stringify({ ...JSON.parse(readFileSync(manifest, "utf8")), version }));
    appendFileSync(join(unpacked, "scripts/agent/__main__.py"), "# A later release.\n");
    appendFileSync(join(unpacked, "dist/program/index.js"), "// A later release.\n");
    execFileSync("npm", ["pack", "--pack-destination", target], { cwd: unpacked, stdio: "ignore" });
  } finally {
    rmSync(folder, { recursive: true });
  }
  return join(target, `lambda-train-${version}.tgz`);
}
