import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/crash/*.test.ts"],
    reporters: ["default", "./test/support/closing-line.ts"],
    disableConsoleIntercept: true,
  },
});
