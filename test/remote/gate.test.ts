import { createHash } from "node:crypto";
import { mkdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { walkAll } from "../../local/folder/walk";
import type { DatasetPlan } from "../../plan/types";
import { datasetPath, renderSetup, renderVerify, uploadName } from "../../remote/scripts";
import type { ExecResult } from "../../remote/session";
import { uploadTree } from "../../remote/transfer/upload";
import { machineOf, testPlan } from "./plan";
import { useScriptHost } from "./script-host";

const host = useScriptHost();
const { home, send } = host;

describe("the gate", () => {
  const gate = { gpu: "optional", minDiskGiB: 0, modules: ["json"], timeoutSeconds: 30 } as const;
  /** Evidence by check, of those that hold (`ok`) or fail (`FAIL`). */
  const evidence = (result: ExecResult, word: "ok" | "FAIL"): Record<string, string> =>
    Object.fromEntries(
      [...result.stdout.matchAll(/^(ok|FAIL) ([^:]+): (.*)$/gm)]
        .filter(([, found]) => found === word)
        .map(([, , name, detail]) => [name, detail]),
    );

  it("holds with evidence for each check", async () => {
    await mkdir(home("source/train"), { recursive: true });
    await writeFile(home("source/train/a b"), "1");
    const dataset: DatasetPlan = {
      source: { kind: "folder", path: "/x" },
      target: "data",
      splits: ["train"],
      hash: "d",
    };
    const plan = testPlan({
      dataset,
      gate: { ...gate, command: "test -d data", architecture: process.arch === "x64" ? "x86_64" : "aarch64" },
    });
    await uploadTree(host.session, {
      tree: await walkAll(home("source")),
      remoteRoot: "work",
      name: uploadName("work"),
    });
    await uploadTree(host.session, {
      tree: await walkAll(home("source")),
      remoteRoot: datasetPath(plan),
      name: uploadName(datasetPath(plan)),
    });
    const result = await send(renderVerify(machineOf(plan)));
    expect(result.code, result.stdout).toBe(0);
    expect(result.stdout).toMatch(/^ok workspace: .*\nok architecture: /);
    expect(Object.keys(evidence(result, "ok"))).toEqual([
      "workspace",
      "architecture",
      "disk",
      "tmux",
      "upload work",
      "upload work-data",
      "dataset train",
      "driver",
      "python",
      "cuda",
      "module json",
      "command",
    ]);
    await rm(home("work/data/train/a b"));
    const gone = await send(renderVerify(machineOf(plan)));
    expect(gone.code).toBe(1);
    expect(Object.keys(evidence(gone, "FAIL"))).toEqual(["upload work-data", "dataset train"]);
  });

  it("imports once what stays as it is, and the workspace's own modules each time", async () => {
    const site = (await host.session.run("python3 -m site --user-site", "Asking Python")).trim();
    // Where Python keeps what it compiles: made by the first import, it would be a change too.
    await mkdir(join(site, "__pycache__"), { recursive: true });
    const module = (name: string): string =>
      `open(${JSON.stringify(home("imports"))}, "a").write("${name} ")\n__version__ = "1"\n`;
    await writeFile(join(site, "theirs.py"), module("theirs"));
    await mkdir(home("work"), { recursive: true });
    await writeFile(home("work/ours.py"), module("ours"));
    const plan = testPlan({ gate: { ...gate, modules: ["theirs", "ours"] } });
    const imports = async (): Promise<string[]> => {
      await rm(home("imports"), { force: true });
      const { stdout } = await send(renderVerify(machineOf(plan)));
      expect(stdout).toContain("ok module theirs: 1\nok module ours: 1\n");
      return (await readFile(home("imports"), "utf8")).trim().split(" ").sort();
    };
    expect(await imports()).toEqual(["ours", "theirs"]);
    expect(await imports()).toEqual(["ours"]);
    await writeFile(join(site, "installed.py"), "");
    expect(await imports()).toEqual(["ours", "theirs"]);
    // Setup has asked ahead.
    await writeFile(join(site, "another.py"), "");
    await rm(home("imports"), { force: true });
    expect((await send(renderSetup(machineOf(plan)))).code).toBe(0);
    expect((await readFile(home("imports"), "utf8")).trim().split(" ").sort()).toEqual(["ours", "theirs"]);
    expect(await imports()).toEqual(["ours"]);
  });

  it("imports no framework where there is no GPU and none is asked for", async () => {
    await mkdir(home("work/torch"), { recursive: true });
    await writeFile(home("work/torch/__init__.py"), `open(${JSON.stringify(home("imported"))}, "w")\n`);
    const result = await send(renderVerify(machineOf(testPlan({ gate }))));
    expect(evidence(result, "ok")).toMatchObject({ cuda: "no GPU here, and none is required" });
    await expect(readFile(home("imported"))).rejects.toThrow("ENOENT");
  });

  it("fails with all evidence at once and what to do", async () => {
    await writeFile(join(host.sshd.bin, "nvidia-smi"), "#!/bin/sh\necho 'NVIDIA-SMI has failed' >&2; exit 9\n", {
      mode: 0o755,
    });
    const plan = testPlan({
      gate: {
        gpu: "required",
        minDiskGiB: 9_999_999,
        modules: ["no_such_module"],
        timeoutSeconds: 30,
        architecture: "pdp11",
        command: "printf '\\033]0;title\\007\\033[2J'; echo '\"quoted\"\\ tail'; exit 3",
      },
    });
    const result = await send(renderVerify(machineOf(plan)));
    await rm(join(host.sshd.bin, "nvidia-smi"));
    expect(result.code).toBe(1);
    expect(result.stdout).not.toMatch(/[^\P{Cc}\n]/u);
    const failed = evidence(result, "FAIL");
    expect(failed).toEqual({
      architecture: expect.stringContaining("gate.architecture asks for pdp11"),
      disk: expect.stringContaining("gate.minDiskGiB asks for 9999999"),
      "upload work": expect.stringContaining("no finished upload"),
      driver: expect.stringContaining("NVIDIA-SMI has failed"),
      cuda: expect.stringMatching(/torch/),
      "module no_such_module": expect.stringMatching(/ModuleNotFoundError.*or take it out of gate\.modules/),
      command: expect.stringContaining('ended with status 3: "quoted"\\ tail'),
    });
  });

  it("looks for the config that setup makes, and for the one over a copy of which overrides were laid", async () => {
    const run = (config: object) => testPlan({ gate, run: { directory: "code", ...config } });
    const made = async (config: object) => (await send(renderVerify(machineOf(run(config))))).stdout;
    const madeConfig = { path: "made.yaml" };
    const sha256 = createHash("sha256").update("lr: 1").digest("hex");
    const overriddenConfig = { path: "made.yaml", sha256 };
    expect(await made({ madeConfig })).toContain(
      "FAIL config: setup ended and code/made.yaml is not there; its log is",
    );
    await mkdir(home("work/code"));
    await writeFile(home("work/code/made.yaml"), "lr: 1");
    expect(await made({ madeConfig })).toContain("ok config: code/made.yaml, made by setup");
    expect(await made({ overriddenConfig })).toContain("ok config: code/made.yaml\n");
    await writeFile(home("work/code/made.yaml"), "lr: 2");
    expect(await made({ overriddenConfig })).toMatch(/FAIL config: .* changed on the instance.*environment\.makes/);
  });

  it("believes a GPU that driver and torch show", async () => {
    await writeFile(join(host.sshd.bin, "nvidia-smi"), "#!/bin/sh\necho 'NVIDIA H100, 570.1, 81559 MiB'\n", {
      mode: 0o755,
    });
    await mkdir(home("work/torch"));
    await writeFile(
      home("work/torch/__init__.py"),
      "__version__ = '2.9'\nclass version: cuda = '12.8'\nclass cuda:\n    is_available = staticmethod(lambda: True)\n    device_count = staticmethod(lambda: 8)\n    get_device_name = staticmethod(lambda i: 'NVIDIA H100')\n",
    );
    const result = await send(renderVerify(machineOf(testPlan({ gate: { ...gate, gpu: "required" } }))));
    await rm(join(host.sshd.bin, "nvidia-smi"));
    expect(result.stdout).toContain("ok driver: NVIDIA H100, 570.1, 81559 MiB");
    expect(result.stdout).toContain("ok cuda: torch 2.9, CUDA 12.8, 8 x NVIDIA H100");
  });

  it.each([
    ["python train.py", "venv/bin/python"],
    ["make train", "venv/bin/python"],
    ["lr=1 nohup ./venv/bin/python3 -m train", "venv/bin/python3"],
    ["mytool --lr 1", "venv/bin/python3"],
    ["./train.sh", "usr/bin/env python3"],
  ])("asks the Python that `%s` calls", async (command, expected) => {
    await host.session.exec("python3 -m venv --without-pip work/venv");
    await writeFile(home("work/Makefile"), "PYTHON ?= venv/bin/python\ntrain:\n\t@exec $(PYTHON) train.py\n");
    await mkdir(home(".local/bin"), { recursive: true });
    await writeFile(home(".local/bin/mytool"), `#!${home("work/venv/bin/python3")}\n`, { mode: 0o755 });
    await writeFile(home(".lambda-train/env.sh"), `export PATH=${home("work/bin")}:"$PATH"\n`);
    await mkdir(home("work/bin"));
    await symlink("../venv/bin/python", home("work/bin/python"));
    const { stdout } = await send(renderVerify(machineOf(testPlan({ gate, run: { command } }))));
    const named = /^ok python: Python 3\.[\d.]+, (.*)$/m.exec(stdout)?.[1];
    if (expected.startsWith("usr")) expect(named).not.toContain(home("work"));
    else expect(named, stdout).toMatch(/\/work\/(venv|bin)\/(bin\/)?python3?$/);
  });

  it("tells that training calls a Python that is not there", async () => {
    const result = await send(renderVerify(machineOf(testPlan({ gate, run: { command: "python3.99 train.py" } }))));
    expect(evidence(result, "FAIL")).toEqual({
      python: expect.stringContaining("`python3.99`, which can't be run"),
      "upload work": expect.anything(),
    });
  });

  it("asks for no torch where another framework is what the workload imports", async () => {
    await mkdir(home("work/jax"));
    await writeFile(
      home("work/jax/__init__.py"),
      "__version__ = '0.9'\nclass D: platform = 'gpu'\ndef devices(): return [D(), D()]\n",
    );
    await writeFile(join(host.sshd.bin, "nvidia-smi"), "#!/bin/sh\necho 'NVIDIA H100, 570.1, 81559 MiB'\n", {
      mode: 0o755,
    });
    const verify = renderVerify(machineOf(testPlan({ gate: { ...gate, gpu: "required", modules: ["jax"] } })));
    const result = await send(verify);
    await rm(join(host.sshd.bin, "nvidia-smi"));
    expect(evidence(result, "ok")).toMatchObject({ cuda: "jax 0.9, 2 GPUs", "module jax": "0.9" });
  });
});
