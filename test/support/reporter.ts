import type { Reporter, TestModule } from "vitest/node";

/** Ends the output of a run with the skipped tests and their reasons, and with one plain line that counts the tests. */
export default class Summary implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const tests = modules.flatMap((module) => [...module.children.allTests()]);
    const count = (state: string) => tests.filter((test) => test.result().state === state).length;
    for (const test of tests) {
      const result = test.result();
      if (result.state === "skipped")
        console.log(`skipped: ${test.fullName}: ${result.note ?? "no reason given"}`);
    }
    console.log(`\n${count("passed")} passed, ${count("failed")} failed, ${count("skipped")} skipped`);
  }
}
