import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { TestCloud } from "../support/cloud";
import { Project } from "../support/project";
import { startTinyStack } from "../support/tiny";

/** One training on two machines; each test goes on from where the one before ended. */
describe("one training on two machines", { timeout: 240_000 }, () => {
  const project = new Project();
  let cloud: TestCloud;

  beforeAll(async () => {
    cloud = await startTinyStack(project, { overrides: { steps: 100_000 }, train: { nodes: 2 } });
  }, 120_000);
  afterAll(() => project.dispose());

  it("comes up", async () => {
    const out = await project.succeeds("up");
    console.log(out);
    console.log(await project.succeeds("status"));
    console.log(
      await project.run("exec", [
        "--machine",
        "machine-2",
        "cat ~/.lambda-train/fleet/fleet.json; cat ~/.lambda-train/runs/*/train.log | head; cat ~/.ssh/authorized_keys",
      ]),
    );
    expect((await cloud.inventory()).instances).toHaveLength(2);
    console.log(await project.succeeds("down", ["--keep-cloud"]));
    expect((await cloud.inventory()).instances).toHaveLength(0);
  });
});
