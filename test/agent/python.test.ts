import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { projectFolder } from "../../local/paths";

/** The agent's own tests, which lie beside it and run once; each counts as one here. */
const { stderr } = spawnSync(
  "python3",
  ["-B", "-W", "always::ResourceWarning", "-m", "unittest", "discover", "-v", "-s", "tests"],
  {
    cwd: join(projectFolder(), "scripts/agent"),
    env: { ...process.env, PYTHONPATH: "." },
    encoding: "utf8",
  },
);
const results = [...stderr.matchAll(/^(test_\w+) \((\w+)\.(\w+)[^)]*\) \.\.\. (.*)$/gm)];

describe("the agent's own tests", () => {
  it("are found", () => {
    expect(results.length, stderr).toBeGreaterThan(10);
    expect(stderr).toContain(`Ran ${results.length} tests`);
  });

  it("leave no file open", () => {
    expect(stderr).not.toContain("ResourceWarning");
  });

  it.for(results.map(([, test = "", file = "", subject = "", result]) => ({ test, file, subject, result })))(
    "$file: $subject, $test",
    ({ result }, { skip }) => {
      const reason = /^skipped '(.*)'$/.exec(result ?? "")?.[1];
      if (reason !== undefined) skip(reason);
      expect(result, stderr).toBe("ok");
    },
  );
});
