import { globSync, readFileSync } from "node:fs";
import { defineConfig } from "vitest/config";

/** The files whose rarer cases the default run leaves out: see test/support/fleet-suite.ts. */
export default defineConfig({
  test: {
    include: globSync("test/**/*.test.ts").filter((path) => readFileSync(path, "utf8").includes("/fleet-suite")),
    reporters: ["default", "./test/support/closing-line.ts"],
    testTimeout: 60_000,
    hookTimeout: 120_000,
    maxWorkers: 2,
  },
});
