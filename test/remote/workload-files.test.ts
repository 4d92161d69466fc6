import { mkdir, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { renderSetup } from "../../remote/scripts";
import type { ExecResult } from "../../remote/session";
import { testPlan } from "./plan";
import { useScriptHost } from "./script-host";

const host = useScriptHost();
const { home, text } = host;

const log = (): Promise<string> => text(".lambda-train/steps/setup/log");

const files = async (contents: Readonly<Record<string, string>>): Promise<void> => {
  for (const [path, content] of Object.entries(contents)) {
    await mkdir(dirname(home("work", path)), { recursive: true });
    await writeFile(home("work", path), content);
  }
};

/** Makes the environment of the workload's files without any index of packages, then runs the command in it. */
const make = (setup = "true", hash = "h"): Promise<ExecResult> => {
  const variables = { PIP_NO_INDEX: "1", PIP_NO_BUILD_ISOLATION: "0" };
  const plan = testPlan({ environment: { ...testPlan().environment, manager: "auto", setup, hash, variables } });
  return host.session.exec("PIP_NO_INDEX=1 PIP_NO_BUILD_ISOLATION=0 bash -s", {
    stdin: renderSetup({ ...plan, runs: [] }),
    timeoutSeconds: 60,
  });
};

const stub = (name: string, script: string): Promise<void> =>
  writeFile(join(host.sshd.bin, name), `#!/bin/bash\n${script}\n`, { mode: 0o755 });
afterEach(async () => {
  for (const name of ["poetry", "pipenv", "micromamba"]) await rm(join(host.sshd.bin, name), { force: true });
});

describe("the environment of a workload's files", () => {
  it("is installed by poetry where only poetry can", async () => {
    await stub("poetry", 'echo "$VIRTUAL_ENV $*" > ~/poetry');
    await files({
      "pyproject.toml": `[tool.poetry]\npackage-mode = false\n[tool.poetry.dependencies]\npython = "^3.8"\ntabulate = "^0.9"\n`,
    });
    const made = await make();
    expect(made, made.stderr).toMatchObject({ code: 0 });
    expect(await text("poetry")).toBe(`${home(".lambda-train/envs/work/venv")} install --no-interaction --only main\n`);
  });

  it("is installed by pipenv for a Pipfile", async () => {
    await stub("pipenv", 'echo "$VIRTUAL_ENV $*" > ~/pipenv');
    await files({ Pipfile: "[packages]\ntabulate = '*'\n", "Pipfile.lock": "{}" });
    expect(await make()).toMatchObject({ code: 0 });
    expect(await text("pipenv")).toBe(`${home(".lambda-train/envs/work/venv")} sync\n`);
  });

  const build = `[build-system]
requires = ['setuptools']
build-backend = 'setuptools.build_meta'
[tool.setuptools]
packages = ['lt_thing']
[project]
name = 'lt-thing'
version = '1'
`;
  const code = { "lt_thing/__init__.py": "def main(): print('trained')\n" };

  it("has the project installed, with commands of its own", async () => {
    await files({ ...code, "pyproject.toml": `${build}[project.scripts]\nlt-train = 'lt_thing:main'\n` });
    const made = await make("lt-train");
    expect(made, made.stderr).toMatchObject({ code: 0 });
  });

  it("is left to the installer where the project's build tells its dependencies", async () => {
    const dynamic = "dynamic = ['dependencies']\n[tool.setuptools.dynamic]\ndependencies = {file = ['needs.txt']}\n";
    await files({ ...code, "pyproject.toml": `${build}${dynamic}`, "needs.txt": "not-there-at-all\n" });
    expect(await make()).toMatchObject({ code: 3, stderr: expect.stringContaining("not-there-at-all") });
  });

  it("has the project installed beside its requirements, where it has commands", async () => {
    const needs = "dependencies = ['not-there-at-all']\n[project.scripts]\nlt-train = 'lt_thing:main'\n";
    await files({ ...code, "pyproject.toml": `${build}${needs}`, "requirements.txt": "pip\n" });
    const made = await make("lt-train");
    expect(made, made.stderr).toMatchObject({ code: 0 });
  });

  it("is asked for nothing by a pyproject.toml that only has settings of tools", async () => {
    await files({
      "pyproject.toml": "[tool.ruff]\nline-length = 100\n",
      "a.py": "",
      "b/__init__.py": "",
      "c/__init__.py": "",
    });
    expect(await make()).toMatchObject({ code: 0 });
    expect(await log()).toContain("Environment: none");
  });

  it.each([
    ["requirements-gpu.txt", ["requirements-gpu.txt", "requirements-dev.txt"]],
    ["requirements-lambda.txt", ["requirements-lambda.txt", "requirements.txt"]],
    ["requirements.txt", ["requirements.txt", "requirements-gpu.txt"]],
  ])("is made of %s among %j", async (expected, names) => {
    await files(Object.fromEntries(names.map((name) => [name, "not-there-at-all\n"])));
    expect(await make()).toMatchObject({
      code: 3,
      stderr: expect.stringContaining(`The packages of ${expected} could not be installed`),
    });
  });

  it("is that of a setup.py alone", async () => {
    const setup = "from setuptools import setup\nsetup(name='lt-probe', py_modules=['lt_probe'])\n";
    await files({ "setup.py": setup, "lt_probe.py": "" });
    const made = await make("cd / && python3 -c 'import lt_probe'");
    expect(made, made.stderr).toMatchObject({ code: 0 });
  });

  it.each([
    ["environment-lambda.yml", ["environment.yml", "environment-mac.yml", "environment-lambda.yml"]],
    ["environment-cuda.yaml", ["environment.yml", "environment-cuda.yaml"]],
    ["environment.yml", ["environment.yml", "environment-cpu.yml"]],
    ["environment-train.yml", ["environment-train.yml", "environment-macos.yml"]],
  ])("is conda's of %s among %j", async (expected, names) => {
    await stub(
      "micromamba",
      'for file; do :; done; echo "$file" > ~/file; while [ "$1" != -p ]; do shift; done; mkdir -p "$2/bin"',
    );
    await files(Object.fromEntries(names.map((name) => [name, "name: x\n"])));
    expect(await make()).toMatchObject({ code: 0 });
    expect(await text("file")).toBe(`${expected}\n`);
  });

  it("says which Python a project asks for, where the instance has another one", async () => {
    await files({
      "pyproject.toml":
        "[project]\nname = 'x'\nversion = '1'\nrequires-python = '>=3.99'\ndependencies = ['not-there-at-all']\n",
    });
    expect(await make()).toMatchObject({
      code: 3,
      stderr: expect.stringMatching(/pyproject\.toml asks for Python >=3\.99; the instance's is 3\.\d+/),
    });
    await files({
      "pyproject.toml": "[project]\nname = 'x'\nversion = '1'\nrequires-python = '>=3.99'\ndependencies = ['pip']\n",
    });
    expect(await make("true", "other")).toMatchObject({ code: 0 });
    expect(await log()).toContain("WARNING: pyproject.toml asks for Python >=3.99");
  });
});
