import { execFile } from "node:child_process";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { useScriptHost } from "./script-host";

const run = promisify(execFile);
const host = useScriptHost();
const folder = join(__dirname, "../../scripts/remote");

describe("the scripts", () => {
  it("pass shellcheck", async () => {
    const scripts = (await readdir(folder)).filter((name) => name.endsWith(".sh"));
    const check = run("shellcheck", ["--external-sources", ...scripts.map((name) => join(folder, name))]);
    const output = await check.then(
      ({ stdout }) => stdout,
      (error: { code: string; stdout: string }) =>
        error.code === "ENOENT" ? "shellcheck is missing: apt-get install shellcheck" : error.stdout,
    );
    expect(output).toBe("");
  });

  it("say how they are called, and refuse other calls", async () => {
    const env = { HOME: host.sshd.home, PATH: process.env.PATH, PYTHONDONTWRITEBYTECODE: "1" };
    let refused = 0;
    const files = (await readdir(folder, { withFileTypes: true })).filter((entry) => entry.isFile());
    for (const { name } of files) {
      const content = await readFile(join(folder, name), "utf8");
      const python = name.endsWith(".py");
      expect(content, name).toMatch(python ? /^(#!.*\n)?"""/ : /^#!\/usr\/bin\/env bash\n# |^external/);
      if (!content.includes("2 usage")) continue;
      const result = run(python ? "python3" : "bash", [join(folder, name)], { env });
      expect(await result.catch((e: unknown) => e), name).toMatchObject({
        code: 2,
        stderr: expect.stringMatching(python ? /^Usage:/m : /usage|is not set/),
      });
      refused++;
    }
    expect(refused).toBeGreaterThan(15);
  });
});
