// JavaScript, as a configuration of vitest imports it.
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dirname, "../..");

/** The files, relative to the project, that have cases of test:fleet alone: see fleet-suite.ts. */
export const fleetFiles = globSync("test/**/*.test.ts", { cwd: root }).filter((path) =>
  /^ *inFleetSuite\(/m.test(readFileSync(join(root, path), "utf8")),
);
