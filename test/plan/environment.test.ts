import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { stringify } from "yaml";
import { makePlan } from "../../plan/plan";
import type { EnvironmentPlan } from "../../plan/types";

const lock = `version = 1

[[package]]
name = "work"

[package.optional-dependencies]
cpu = [
    { name = "torch" },
]
"cu128" = [
    { name = "torch" },
]

[package.dev-dependencies]
dev = [
    { name = "pytest" },
]

[[package]]
name = "torch"
wheels = [
]
`;

describe("the plan of an environment", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "lambda-train-plan-"));
    vi.stubEnv("LAMBDA_TRAIN_LOCAL", join(folder, "local"));
    mkdirSync(join(folder, "work/sub"), { recursive: true });
  });
  afterEach(() => {
    vi.unstubAllEnvs();
    rmSync(folder, { recursive: true, force: true });
  });
  const write = (files: Readonly<Record<string, string>>): void => {
    for (const [path, text] of Object.entries(files)) writeFileSync(join(folder, "work", path), text);
  };
  const planOf = async (environment: object = {}, more: object = {}): Promise<EnvironmentPlan> => {
    const { endpoint = "https://cloud.example/api/v1", ...rest } = more as { endpoint?: string };
    const file = join(folder, "experiment.yaml");
    const train = { command: "python3 train.py", config: null };
    const least = { experiment: "exp", workload: { source: join(folder, "work") }, train, evaluate: null };
    const whole = { ...least, dashboard: null, environment: { setup: null, ...environment }, ...rest };
    writeFileSync(file, stringify(whole));
    const places = { instanceTypes: '["cpu_4x_general"]', regions: '["us-east-1"]' };
    const { machines } = await makePlan("test", { experiment: file, endpoint, ...places });
    return machines[0]?.environment ?? expect.fail("The plan has no machine.");
  };

  it("with no new key is that of the release before", async () => {
    write({ "uv.lock": lock, "pyproject.toml": "[project]\n", ".python-version": "3.12\n" });
    const plan = await planOf();
    expect(Object.keys(plan)).not.toEqual(expect.arrayContaining(["uv"]));
    expect(Object.keys(plan)).not.toEqual(expect.arrayContaining(["image"]));
    expect(plan.inputs).toEqual(["pyproject.toml", "uv.lock"]);
    const sha256 = (...parts: unknown[]): string => createHash("sha256").update(JSON.stringify(parts)).digest("hex");
    const contents = ["[project]\n", lock].map((text) => sha256(Buffer.from(text).toString("base64")));
    // A change would run setup again on machines that the release before has made.
    expect(plan.hash).toBe(
      sha256({ setup: null, manager: "auto", answer: "", variables: {} }, ["pyproject.toml", "uv.lock"], contents),
    );
  });

  it("by uv depends on what uv reads", async () => {
    write({ "uv.lock": lock, "pyproject.toml": "[project]\n", ".python-version": "3.12\n" });
    const plan = await planOf({ manager: "uv", extras: ["cu128"] });
    expect(plan).toMatchObject({ manager: "uv", uv: { extras: ["cu128"], groups: [] } });
    expect(plan.inputs).toEqual(["pyproject.toml", "uv.lock", ".python-version"]);
    expect((await planOf({ manager: "uv", extras: ["cpu"] })).hash).not.toBe(plan.hash);
    write({ ".python-version": "3.13\n" });
    expect((await planOf({ manager: "uv", extras: ["cu128"] })).hash).not.toBe(plan.hash);
  });

  it("by uv needs a lock, and names that are in it", async () => {
    await expect(planOf({ manager: "uv" })).rejects.toThrow(
      /environment\.manager is "uv": the workload has no uv\.lock with a pyproject\.toml beside it\. Run `uv lock`/,
    );
    await expect(planOf({ extras: ["cpu"] })).rejects.toThrow(
      /environment\.extras is \["cpu"\]: only uv installs these, and it doesn't make this environment/,
    );
    write({ "uv.lock": lock, "pyproject.toml": "[project]\n" });
    await expect(planOf({ manager: "uv", file: "pyproject.toml" })).rejects.toThrow(
      /environment\.file is "pyproject\.toml"/,
    );
    await expect(planOf({ extras: ["CU.128"], groups: ["torch"] })).rejects.toThrow(
      /extras is "CU\.128": the lock has no extra CU\.128 \(only cpu, cu128\)\. Did you mean cu128\?.*groups is "torch": the lock has no dependency group torch \(only dev\)\. Add it to pyproject\.toml/s,
    );
    await expect(planOf({ extras: ["no name!"] })).rejects.toThrow(/must be a name that pyproject\.toml defines/);
    expect(await planOf({ extras: ["cpu"], groups: ["dev"] })).toMatchObject({
      uv: { extras: ["cpu"], groups: ["dev"] },
    });
  });

  it("of an image is what its name says, and nothing that the stack would make", async () => {
    const image = `nvcr.io:443/nvidia/pytorch:25.01-py3@sha256:${"0a".repeat(32)}`;
    const plan = await planOf({ image });
    expect(plan.image).toBe(image);
    expect((await planOf({ image: "pytorch/pytorch" })).hash).not.toBe(plan.hash);
    for (const wrong of ["", "has space", "-x", "name:", "name@sha256:12", "--privileged"])
      await expect(planOf({ image: wrong }), wrong).rejects.toThrow(/must be the name of a container image/);
    write({ "uv.lock": lock, "pyproject.toml": "[project]\n" });
    const both = planOf(
      { image, manager: "uv", file: "uv.lock", extras: ["cpu"], cache: "fileSystem" },
      { train: { command: "python3 train.py", config: null, cluster: "ray" }, endpoint: "emulated" },
    );
    await expect(both).rejects.toThrow(
      /image is .*the emulated cloud's instances have no Docker.*manager is "uv": the image is the environment.*file is.*extras is.*cache is.*train\.cluster is "ray": a Ray cluster is started outside of containers/s,
    );
  });
});
