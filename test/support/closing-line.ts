import type { Reporter, TestModule } from "vitest/node";

/** Prints the count of tests in plain words as the last line: `N passed, N failed`, and `N skipped` where any were. */
export default class ClosingLine implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], errors: readonly unknown[]): void {
    const count = { passed: 0, failed: 0, skipped: 0, pending: 0 };
    for (const module of modules) for (const test of module.children.allTests()) count[test.result().state] += 1;
    // A file that cannot be loaded has no tests to fail: it counts as a failure of its own.
    const broken = modules.filter((module) => module.errors().length > 0).length + errors.length;
    const skipped = count.skipped + count.pending;
    const tail = skipped > 0 ? `, ${skipped} skipped` : "";
    console.log(`${count.passed} passed, ${count.failed + broken} failed${tail}`);
  }
}
