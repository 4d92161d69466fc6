import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { nothing, type TestCloud } from "../support/cloud";
import { inFleetSuite } from "../support/fleet-suite";
import { Project } from "../support/project";
import { configureTiny, startTinyStack, type TinyChanges } from "../support/tiny";
import { trialsOf } from "../support/trials";

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

  it("is no leftover for reap, and is left alone by cancel", async () => {
    const all = ["--endpoint", "emulated", "--yes", "--min-age", "0", "--include-unknown-age", "--any-state"];
    expect(await project.succeeds("reap", all)).toContain("No leftovers: 1 instances");
    expect((await project.pulumi(["cancel", "--yes"])).code).toBe(0);
    await isUntouched();
  });

  it("goes as ever once that is lifted as it says", async () => {
    expect(await project.pulumi(["state", "unprotect", urn, "--yes"])).toMatchObject({ code: 0 });
    const { code, output } = await project.run("down", ["--keep-cloud"]);
    expect(code, output).toBe(0);
    expect(await cloud.inventory()).toEqual(nothing);
  });
});

inFleetSuite(() => {
  describe("protected machines of a sweep", { timeout: 240_000 }, () => {
    const project = new Project();
    let cloud: TestCloud;
    // Each waits until it is let go.
    const command =
      "echo step 1 loss 1; until test -e ~/go; do sleep 0.1; done; exec make train CONFIG={config} EXPERIMENT={experiment}";
    const on = (stack: TinyChanges["stack"]): TinyChanges => ({
      experiment: "swept",
      sweep: { grid: { steps: [5, 6] }, metric: "error" },
      train: { command },
      stack,
    });
    const protect = true;
    const states = async (): Promise<string[]> => (await trialsOf(project)).map(({ state }) => state).sort();

    beforeAll(async () => {
      cloud = await startTinyStack(project, on({ instances: 2, protect }));
      await project.succeeds("up");
      await project.succeeds("ssh", ["--machine", "machine-2", "touch", "go"]);
    }, 240_000);
    afterAll(() => project.dispose());

    const isUntouched = async (before: number): Promise<void> => {
      expect((await cloud.inventory()).instances).toHaveLength(2);
      expect(await project.resources()).toHaveLength(before);
      expect(await states()).toEqual(["complete", "running"]);
    };

    it("stay where the fleet shrinks, asked or not, and so does all that stands on them", async () => {
      await expect.poll(() => project.succeeds("status"), { timeout: 60_000 }).toMatch(/swept {2}finished/);
      const before = (await project.resources()).length;
      for (const stack of [{ protect }, {}]) {
        configureTiny(project, on(stack));
        for (const args of [[], ["--yes"], ["--yes", "--skip-preview"]]) {
          const output = await project.fails("up", args);
          expect(output).toMatch(/machine-2-instance-vm.* protected/);
          expect(output).toMatch(
            /an `up` that would end or replace what is protected is refused\. If that is wanted, first (set|run) `/,
          );
        }
        await isUntouched(before);
      }
      configureTiny(project, on({ instances: 2, protect }));
    });

    it("stay where a worker has no work left, until that one alone is unprotected", async () => {
      const before = (await project.resources()).length;
      const urn = (await project.resources()).find((each) => each.urn.endsWith("::machine-2-instance-vm"))?.urn ?? "";
      const { code, output } = await project.run("watch", ["--destroy"]);
      expect([code, output]).toEqual([1, expect.stringContaining(`state unprotect '${urn}'`)]);
      await isUntouched(before);
      expect(await project.pulumi(["state", "unprotect", urn, "--yes"])).toMatchObject({ code: 0 });
      expect(await project.run("watch", ["--destroy"])).toMatchObject({ code: 0 });
      expect((await cloud.inventory()).instances).toHaveLength(1);
      expect(await states()).toEqual(["complete", "running"]);
      expect(await project.pulumi(["state", "unprotect", "--all", "--yes"])).toMatchObject({ code: 0 });
      await project.succeeds("ssh", ["--machine", "machine", "touch", "go"]);
      await project.succeeds("wait", ["--run", "run"]);
      await project.succeeds("down", ["--keep-cloud"]);
      expect(await cloud.inventory()).toEqual(nothing);
    });
  });
});
