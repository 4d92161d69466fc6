import { cpSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { stringify } from "yaml";
import { nothing, TestCloud } from "../support/cloud";
import { Project } from "../support/project";

/** Environments of other makers than conda and pip, through the real CLI; each test goes on from the one before. */
describe("an environment by uv", { timeout: 180_000 }, () => {
  const project = new Project();
  let cloud: TestCloud;

  const configure = (environment: object, train: object = {}): void => {
    project.write(
      "configs/environments.yaml",
      stringify({
        experiment: "locked",
        workload: { source: "locked" },
        environment: { setup: null, ...environment },
        gate: { gpu: "optional", minDiskGiB: 0, modules: ["only_here"] },
        train: { command: "uv run python train.py {experiment} 0", config: null, waitFor: "end", ...train },
        evaluate: null,
        dashboard: null,
      }),
    );
    project.configure({ experiment: "configs/environments.yaml" });
  };

  beforeAll(async () => {
    cpSync(join(__dirname, "../fixtures/uv-project"), join(project.folder, "locked"), { recursive: true });
    configure({});
    await project.init();
    cloud = await TestCloud.start(project);
  });
  afterAll(() => project.dispose());

  it("is refused before a launch where the lock lacks what is asked for", async () => {
    configure({ extras: ["mor"] });
    expect(await project.fails("up")).toMatch(
      /environment\.extras is "mor": the lock has no extra mor \(only more\)\. Did you mean more\?/,
    );
    configure({ manager: "uv", file: "sub/uv.lock" });
    expect(await project.fails("up")).toMatch(
      /environment\.file is "sub\/uv\.lock": the workload has no sub\/uv\.lock/,
    );
    expect(await cloud.inventory()).toEqual(nothing);
  });

  it("has what the lock names, for `uv run` and plain Python, by a uv that the instance lacked", async () => {
    configure({ extras: ["more"] });
    await project.succeeds("up");
    const there = /\/home\/ubuntu\/locked\/\.venv\/lib\/python3[.\d]*\/site-packages\/only_here\.py/;
    expect(await project.succeeds("logs")).toMatch(new RegExp(`step 1 loss 1\\.0 ${there.source}`));
    const gate = (await project.resources()).find(({ urn }) => urn.endsWith("gate-verify"))?.outputs?.stdout;
    expect(gate).toMatch(/ok python: Python 3\.[\d.]+, \/home\/ubuntu\/locked\/\.venv\/bin\/python/);
    const show = ["python", "-c", "import only_here; print(only_here.WHERE)"];
    expect(await project.succeeds("exec", ["--", ...show])).toMatch(there);
    expect(await project.succeeds("exec", ["--", "uv", "run", "--frozen", ...show])).toMatch(there);
    const log = await project.succeeds("ssh", ["--", "cat ~/.lambda-train/steps/setup/log"]);
    expect(log).toMatch(/Installing uv==[\d.]+ from PyPI\n/);
    expect(log).toMatch(/Environment: uv \(uv\.lock\)/);
    expect(await project.succeeds("up")).not.toMatch(/environment-setup.*(?:created|updated|replaced)/);
    await project.succeeds("down");
  });
});
