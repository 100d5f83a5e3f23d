import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    globalSetup: ["test/helpers/database.ts"],
    reporters: ["default", "./test/helpers/reporter.ts"],
    testTimeout: 30_000,
    hookTimeout: 60_000,
  },
});
