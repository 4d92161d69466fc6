import { defineConfig } from "vitest/config";
import LongestFirst from "./test/support/longest-first.mjs";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    reporters: ["default", "./test/support/closing-line.ts"],
    testTimeout: 60_000,
    hookTimeout: 120_000,
    // Most tests wait more than they compute.
    maxWorkers: 4,
    sequence: { sequencer: LongestFirst },
  },
});
