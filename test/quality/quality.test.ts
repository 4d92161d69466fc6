import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { projectFolder } from "../../plan/paths";

/** Runs a program of node_modules with Node.js in the project. */
function run(program: string, ...args: string[]): { status: number | null; output: string } {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [join(projectFolder(), "node_modules", program), ...args],
    {
      cwd: projectFolder(),
      encoding: "utf8",
    },
  );
  return { status, output: stdout + stderr };
}

describe("the sources", { timeout: 300_000 }, () => {
  it("are formatted, and the linter has nothing to say, not even a warning", () => {
    const { status, output } = run("@biomejs/biome/bin/biome", "check", "--error-on-warnings");
    expect(status, output).toBe(0);
    expect(output).toMatch(/Checked \d{3,} files/);
  });

  it("have no type errors, tests and benchmarks included", () => {
    const { status, output } = run("typescript/bin/tsc", "-p", "tsconfig.json", "--noEmit", "--incremental", "false");
    expect(status, output).toBe(0);
  });
});
