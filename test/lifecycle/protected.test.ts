import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { nothing, type TestCloud } from "../support/cloud";
import { Project } from "../support/project";
import { startTinyStack } from "../support/tiny";

/** A stack of which something is protected; each test goes on from where the one before ended. */
describe("a protected resource", { timeout: 180_000 }, () => {
  const project = new Project();
  let cloud: TestCloud;
  let urn: string;
  let all: number;

  beforeAll(async () => {
    cloud = await startTinyStack(project, { overrides: { steps: 100_000 } });
    await project.succeeds("up");
    const resources = await project.resources();
    all = resources.length;
    urn = resources.find(({ type }) => type.endsWith(":Instance") && type.includes("dynamic"))?.urn ?? "";
    const { code, output } = await project.pulumi(["state", "protect", urn, "--yes"]);
    expect(code, output).toBe(0);
  }, 120_000);
  afterAll(() => project.dispose());

  const isUntouched = async (): Promise<void> => {
    expect(await project.resources()).toHaveLength(all);
    expect((await cloud.inventory()).instances).toHaveLength(1);
    const { run } = JSON.parse((await project.run("status", ["--json"])).output);
    expect(run.state).toBe("running");
  };

  it.each([
    ["down", () => project.run("down", ["--keep-cloud"])],
    [
      "down in CI",
      () => project.start("bash", ["scripts/ci/down.sh", project.stack], { DOWN_PAUSE_SECONDS: "0" }).ended,
    ],
    ["down of a part", () => project.run("down", ["--keep-cloud", "--target", urn, "--target-dependents"])],
  ])("is refused by %s before anything is touched", async (name, down) => {
    const { code, output } = await down();
    expect(code, output).not.toBe(0);
    if (name !== "down of a part") {
      expect(code).toBe(1);
      expect(output).toContain(`npm run pulumi -- state unprotect '${urn}' --stack test`);
    }
    await isUntouched();
  });

  it("is refused by watch --destroy before the run is stopped", async () => {
    const state = JSON.parse((await project.pulumi(["stack", "export"])).output);
    const instance = state.deployment.resources.find((each: { urn: string }) => each.urn === urn);
    instance.outputs.budgetDollars = 0.001;
    project.write("state.json", JSON.stringify(state));
    expect(await project.pulumi(["stack", "import", "--file", "state.json"])).toMatchObject({ code: 0 });
    expect((await project.run("watch")).code).toBe(10);
    const { code, output } = await project.run("watch", ["--destroy"]);
    expect(code, output).toBe(1);
    expect(output).toContain(`state unprotect '${urn}'`);
    await isUntouched();
  });

  it("goes as ever once that is lifted as it says", async () => {
    expect(await project.pulumi(["state", "unprotect", urn, "--yes"])).toMatchObject({ code: 0 });
    const { code, output } = await project.run("down", ["--keep-cloud"]);
    expect(code, output).toBe(0);
    expect(await cloud.inventory()).toEqual(nothing);
  });
});
