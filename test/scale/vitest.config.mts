import { defineConfig } from "vitest/config";

/** Datasets and results of their own size: see scale.test.ts. */
export default defineConfig({
  test: {
    include: ["test/scale/*.test.ts"],
    reporters: ["default", "./test/support/closing-line.ts"],
    disableConsoleIntercept: true,
    maxWorkers: 1,
    hookTimeout: 600_000,
  },
});
