import { defineConfig } from "vitest/config";
import { fleetFiles } from "../support/fleet-files.mjs";

/** The files whose rarer cases the default run leaves out. */
export default defineConfig({
  test: {
    include: [...fleetFiles],
    reporters: ["default", "./test/support/closing-line.ts"],
    testTimeout: 60_000,
    hookTimeout: 120_000,
    maxWorkers: 2,
  },
});
