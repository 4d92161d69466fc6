import { defineConfig } from "vitest/config";

/** The whole fault matrix: see matrix.test.ts. */
export default defineConfig({
  test: {
    include: ["test/faults/*.test.ts"],
    reporters: ["default", "./test/support/closing-line.ts"],
    disableConsoleIntercept: true,
    maxWorkers: 1,
    maxConcurrency: Number(process.env.FAULTS_LANES ?? 4),
    testTimeout: 30_000,
    hookTimeout: 120_000,
  },
});
