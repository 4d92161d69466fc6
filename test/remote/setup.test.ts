import { mkdir, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { renderSetup } from "../../remote/scripts";
import { renderStart } from "../../remote/start";
import { setupPlan, testPlan } from "./plan";
import { useScriptHost } from "./script-host";

const host = useScriptHost();
const { home, text, send } = host;

describe("setup", () => {
  it("answers questions as often as asked, or closes standard input", async () => {
    const ask = "for i in 1 2 3; do read -r a || { echo no answer; exit 4; }; echo got $a; done";
    await send(setupPlan({ setup: `${ask} > answers`, answer: "y es" }));
    expect(await text("work/answers")).toBe("got y es\n".repeat(3));
    expect((await send(setupPlan({ setup: ask, answer: "", hash: "other" }))).code).toBe(4);
  });

  it("fails where the command fails into a pipe, not where what answers it is cut off", async () => {
    const failed = await send(setupPlan({ setup: "{ echo no such wheel; exit 3; } | tee setup.log" }));
    expect(failed).toMatchObject({ code: 3, stderr: expect.stringContaining("no such wheel") });
    expect(await send(setupPlan({ setup: "yes | head -n 1", hash: "other" }))).toMatchObject({ code: 0 });
  });

  it("gives variables to later steps, keeps them to itself and turns wandb off without a key", async () => {
    const show = 'printf "%s|%s|%s" "$TOKEN" "$PYTHONUNBUFFERED" "$WANDB_MODE" > seen';
    await send(setupPlan({ setup: show, variables: { TOKEN: "a'b\"c\n$d" } }));
    expect(await text("work/seen")).toBe("a'b\"c\n$d|1|offline");
    expect((await stat(home(".lambda-train/env.sh"))).mode & 0o77).toBe(0);
    await send(setupPlan({ setup: show, variables: { WANDB_API_KEY: "k" }, hash: "other" }));
    expect(await text("work/seen")).toBe("|1|");
  });

  it("adds to a variable that names itself, once, and replaces nothing else", async () => {
    const variables = { PATH: "/opt/it's $HOME:$PATH:/last", LIST: "a$LIST", OTHER: `$PATH \${LIST}b $LISTS` };
    const show = 'printf "%s\n" "$PATH" "$LIST" "$OTHER" > seen';
    await send(setupPlan({ setup: show, variables }));
    const [path, list, other] = (await text("work/seen")).split("\n");
    expect(path).toMatch(/^\/opt\/it's \$HOME:.*\/usr\/bin.*:\/last$/);
    expect([list, other]).toEqual(["a", variables.OTHER]);
    const train = { ...variables, LIST: `b\${LIST}` };
    const plan = testPlan({ environment: { ...testPlan().environment, variables }, run: { variables: train } });
    const started = await host.session.exec("bash -s", {
      stdin: renderStart({ ...plan, run: { ...plan.run, command: show } }),
    });
    expect(started, started.stderr).toMatchObject({ code: 0 });
    await expect.poll(() => text("work/seen"), { timeout: 10_000 }).toContain(`\nba\n${other}\n`);
    // Since setup, what a login adds is there as well.
    const trained = (await text("work/seen")).split("\n")[0]?.split(":") ?? [];
    expect(trained.filter((folder) => path?.split(":").includes(folder)).join(":")).toBe(path);
  });

  it("needs no environment where Python has what requirements ask for", async () => {
    await writeFile(home("work/requirements.txt"), "# tools\npip>=1  # any\n\nnothing-here; python_version < '3'\n");
    expect((await send(setupPlan({ manager: "auto" }))).code).toBe(0);
    expect(await text(".lambda-train/steps/setup/log")).toContain("already has what requirements.txt asks for");
  });

  it("makes a virtual environment over the system's packages for what is missing", async () => {
    await mkdir(home("work/package"));
    await writeFile(
      home("work/package/setup.py"),
      "from setuptools import setup\nsetup(name='lt-probe', version='1.0', py_modules=['lt_probe'])\n",
    );
    await writeFile(home("work/package/lt_probe.py"), "value = 42\n");
    await writeFile(home("work/requirements.txt"), "./package\n");
    const show = "python3 -c 'import lt_probe, sys; print(lt_probe.value, sys.prefix)' > seen";
    const variables = { PIP_NO_INDEX: "1", PIP_NO_BUILD_ISOLATION: "0" };
    const plan = testPlan({ environment: { ...testPlan().environment, manager: "auto", setup: show, variables } });
    const result = await host.session.exec("PIP_NO_INDEX=1 PIP_NO_BUILD_ISOLATION=0 bash -s", {
      stdin: renderSetup({ ...plan, runs: [] }),
      timeoutSeconds: 60,
    });
    expect(result, result.stderr).toMatchObject({ code: 0 });
    expect(await text("work/seen")).toBe(`42 ${home(".lambda-train/envs/work/venv")}\n`);
  });

  it("makes a conda environment with what is there, and says what is missing", async () => {
    await writeFile(home("work/environment-gpu.yml"), "name: x\n");
    await writeFile(
      join(host.sshd.bin, "micromamba"),
      '#!/bin/bash\nwhile [ "$1" != -p ]; do shift; done\nmkdir -p "$2/bin"; printf "#!/bin/sh\\necho from conda\\n" > "$2/bin/tool"; chmod +x "$2/bin/tool"\n',
      { mode: 0o755 },
    );
    expect((await send(setupPlan({ manager: "auto", setup: "tool > seen" }))).code).toBe(0);
    expect(await text("work/seen")).toBe("from conda\n");
    await rm(join(host.sshd.bin, "micromamba"));
    await rm(home("work/environment-gpu.yml"));
    const missing = await send(setupPlan({ manager: "conda", hash: "other" }));
    expect(missing).toMatchObject({ code: 3, stderr: expect.stringContaining("name it in environment.file") });
  });
});
