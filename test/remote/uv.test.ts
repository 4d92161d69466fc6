import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { EnvironmentPlan } from "../../plan/types";
import { setupPlan } from "./plan";
import { useScriptHost } from "./script-host";

const host = useScriptHost();
const { home, text, send } = host;

const log = (): Promise<string> => text(".lambda-train/steps/setup/log");

/** A uv that makes plain environments, and notes how it was called. */
const uv = `#!/bin/bash
echo "$PWD: $* -> $UV_PROJECT_ENVIRONMENT $UV_PYTHON_INSTALL_DIR" >> ~/uv.log
[ -x "$UV_PROJECT_ENVIRONMENT/bin/python" ] || python3 -m venv --without-pip "$UV_PROJECT_ENVIRONMENT"
`;
/** A workload with a lock, and the environment that is made of it. */
const locked = async (environment: Partial<EnvironmentPlan>, lock = ""): Promise<string> => {
  await writeFile(join(host.sshd.bin, "uv"), uv, { mode: 0o755 });
  await writeFile(home("work/uv.lock"), `version = 1\n${lock}`);
  await writeFile(home("work/pyproject.toml"), '[project]\nname = "work"\nversion = "1"\n');
  const made = await send(setupPlan({ manager: "auto", ...environment }));
  expect(made, made.stderr).toMatchObject({ code: 0 });
  return text("uv.log");
};
const prefix = async (): Promise<string> => {
  const words = ["python", "-c", "import os, sys; print(sys.prefix, os.environ['UV_NO_SYNC'])"];
  return (await host.ask("exec", { experiment: "", folder: "", words })).stdout.trim();
};

describe("an environment by uv", () => {
  it("is made of the lock as it stands, with the extras and groups that are asked for, and is active", async () => {
    const called = await locked({ uv: { extras: ["cu128"], groups: ["train", "eval"] } });
    const options = "--extra cu128 --group train --group eval";
    expect(called).toBe(`${home("work")}: sync --frozen --no-progress ${options} -> ${home("work/.venv")} \n`);
    expect(await prefix()).toBe(`${home("work/.venv")} 1`);
    expect(await log()).toContain("Environment: uv (uv.lock)");
  });

  it("is that of a lock in a subfolder, where one is named", async () => {
    await mkdir(home("work/sub"));
    for (const name of ["uv.lock", "pyproject.toml"]) await writeFile(home("work/sub", name), "");
    const called = await locked({ manager: "uv", file: "sub/uv.lock" });
    expect(called).toBe(`${home("work/sub")}: sync --frozen --no-progress -> ${home("work/sub/.venv")} \n`);
  });

  it("is refused where there is no lock", async () => {
    await rm(join(host.sshd.bin, "uv"), { force: true });
    const missing = await send(setupPlan({ manager: "uv" }));
    expect(missing.stderr).toContain("uv.lock and its pyproject.toml are not in");
  });

  it("lies on the file system for all machines, unless the lock names packages of the workspace", async () => {
    const shared = await mkdtemp(join(tmpdir(), "lambda-train-uv-"));
    try {
      const cache = join(shared, "environments");
      expect(await locked({ cache })).toContain(`-> ${cache}/`);
      const [key = ""] = (await readdir(cache)).filter((name) => !name.startsWith("."));
      expect(await prefix()).toBe(`${cache}/${key}/uv 1`);
      expect(await text("uv.log")).toContain(` ${cache}/${key}/python\n`);
      expect(await locked({ cache, hash: "again" })).toMatch(/^.*\n$/);
      expect(await log()).toContain(`The environment is in the cache ${cache}/${key}`);
      await locked({ cache, hash: "local" }, 'source = { editable = "." }\n');
      expect(await log()).toContain("environment.cache: uv.lock names packages of the workspace.");
      expect(await readFile(home("uv.log"), "utf8")).toContain(`-> ${home("work/.venv")} \n`);
    } finally {
      await rm(shared, { recursive: true, force: true });
    }
  });
});
