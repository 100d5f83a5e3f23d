import { defineConfig } from "vitest/config";
import LongestFirst from "./test/support/sequencer.ts";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    sequence: { sequencer: LongestFirst },
    globalSetup: ["test/support/setup.ts"],
    // Without it, each file with tests of the store spends a second on loading drizzle.
    execArgv: ["--import", "./bin/drizzle-imports.js"],
    // Most tests wait, for processes and for the database.
    maxWorkers: 4,
    reporters: ["default", "./test/support/reporter.ts"],
    // Generous: a timing never fails a test, and a loaded machine is slow.
    testTimeout: 300_000,
    hookTimeout: 300_000,
    expect: { poll: { timeout: 60_000 } },
  },
});
