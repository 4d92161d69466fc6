import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { expect, it } from "vitest";
import { projectFolder } from "../../local/paths";

it("docs/reference and the JSON schema say what configuration and commands take", () => {
  const program = join(projectFolder(), "dist", "cli", "reference.js");
  const { status, stderr } = spawnSync(process.execPath, [program, "--check"], { encoding: "utf8" });
  expect(stderr).toBe("");
  expect(status).toBe(0);
});
