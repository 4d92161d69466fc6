import { defineConfig } from "vitest/config";

/** Repositories of other people's shape: see foreign.test.ts. */
export default defineConfig({
  test: {
    include: ["test/foreign/*.test.ts"],
    reporters: ["default", "./test/support/closing-line.ts"],
    disableConsoleIntercept: true,
  },
});
