import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // Two cores: lifecycle tests run one file at a time in a project of their own.
    maxWorkers: 2,
  },
});
