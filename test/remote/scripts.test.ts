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
    for (const name of await readdir(folder)) {
      const content = await readFile(join(folder, name), "utf8");
      expect(content, name).toMatch(name.endsWith(".py") ? /^(#!.*\n)?"""/ : /^#!\/usr\/bin\/env bash\n# |^external/);
    }
    for (const name of [
      "step.sh",
      "run.sh",
      "status.sh",
      "stop.sh",
      "evaluate.sh",
      "setup.sh",
      "extract.sh",
      "verify.sh",
    ]) {
      const result = await run("bash", [join(folder, name)], {
        env: { HOME: host.sshd.home, PATH: process.env.PATH },
      }).catch((e: unknown) => e);
      expect(result, name).toMatchObject({ code: 2, stderr: expect.stringMatching(/usage|is not set/) });
    }
  });
});
