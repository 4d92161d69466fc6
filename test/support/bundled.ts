import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { buildSync } from "esbuild";
import { afterAll } from "vitest";

const root = resolve(__dirname, "../..");

/** A module of the sources as one file that a plain Node.js can load: for what must be seen in a process of its own. */
export function bundled(module: string): string {
  const folder = mkdtempSync(join(tmpdir(), "lambda-train-bundle-"));
  afterAll(() => rmSync(folder, { recursive: true }));
  const outfile = join(folder, "module.js");
  buildSync({
    absWorkingDir: root,
    entryPoints: [module],
    outfile,
    bundle: true,
    platform: "node",
    target: "node22",
    external: ["*.node", "cpu-features"],
  });
  return outfile;
}
