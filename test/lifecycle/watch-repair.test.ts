import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { brieflyLost, shortenWaits } from "../support/agent-waits";
import { nothing, type TestCloud } from "../support/cloud";
import { inFleetSuite } from "../support/fleet-suite";
import { Project } from "../support/project";
import { configureTiny, startTinyStack, type TinyChanges } from "../support/tiny";
import { trialsOf } from "../support/trials";

/** Machines that end behind the stack's back, and one look of `watch --repair` after it. Each test goes on from the one before. */
describe("a lost machine that watch repairs", { timeout: 200_000 }, () => {
  const project = new Project();
  let cloud: TestCloud;
  const only = async (): Promise<string> => (await cloud.inventory()).instances[0] ?? "";
  const asked = (maxPricePerHour: number): TinyChanges => ({
    overrides: { steps: 100_000 },
    train: { resume: "auto" },
    stack: { capacityTimeoutMinutes: 0, budgetDollars: 10, maxPricePerHour },
  });

  beforeAll(async () => {
    cloud = await startTinyStack(project, asked(1));
    await project.succeeds("up");
  }, 120_000);
  afterAll(() => project.dispose());

  it("is left alone while it is there", async () => {
    const before = await only();
    expect(await project.run("watch", ["--repair"])).toMatchObject({ code: 0 });
    expect(await only()).toBe(before);
  });

  it("is launched anew, and training goes on from what is at home", async () => {
    await project.succeeds("results");
    const before = await only();
    await cloud.admin.terminate(before);
    const { code, output } = await project.run("watch", ["--repair"]);
    expect([code, output]).toEqual([
      0,
      expect.stringContaining(
        `Repairing test by an \`up\`, 1 of at most 3 in a row: machine (instance ${before}) is gone`,
      ),
    ]);
    expect(await only()).not.toBe(before);
    expect(await project.succeeds("logs", ["--no-follow"])).toContain("resumes by itself, newest checkpoint");
    expect(await project.outputs()).toMatchObject({ runStatus: "running" });
  });

  it("is tried again by the next look where nothing could be launched", async () => {
    await project.succeeds("results");
    await cloud.admin.terminate(await only());
    configureTiny(project, asked(0.01));
    expect(await project.run("watch", ["--repair"])).toMatchObject({ code: 1 });
    expect((await cloud.inventory()).instances).toEqual([]);
    configureTiny(project, asked(1));
    const { code, output } = await project.run("watch", ["--repair"]);
    expect([code, output]).toEqual([0, expect.stringContaining("3 of at most 3 in a row: the last repair failed")]);
    expect((await cloud.inventory()).instances).toHaveLength(1);
  });

  it("stays gone after an end that was wanted", async () => {
    await project.succeeds("stop");
    await project.succeeds("results");
    await cloud.admin.terminate(await only());
    expect(await project.run("watch", ["--repair"])).toMatchObject({ code: 11 });
    expect((await cloud.inventory()).instances).toEqual([]);
    await project.succeeds("down", ["--keep-cloud"]);
    expect(await project.run("watch", ["--repair"])).toMatchObject({ code: 3 });
    expect(await cloud.inventory()).toEqual(nothing);
  });
});

inFleetSuite(() => {
  describe("a lost machine of two that train together", { timeout: 200_000 }, () => {
    const project = new Project();
    afterAll(() => project.dispose());

    it("is launched anew beside the other, and both go on", async () => {
      shortenWaits(project, brieflyLost);
      const cloud = await startTinyStack(project, { overrides: { steps: 100_000 }, train: { nodes: 2 } });
      await project.succeeds("up");
      const { instanceId } = (await project.outputs()) as { instanceId: Record<string, string> };
      await cloud.admin.terminate(instanceId["machine-2"] ?? "");
      expect(await project.fails("wait")).toMatch(/tiny-v1: stopped/);
      const { code, output } = await project.run("watch", ["--repair"]);
      expect([code, output]).toEqual([0, expect.stringContaining("machine-2")]);
      const { instances } = await cloud.inventory();
      expect(instances).toHaveLength(2);
      expect(instances).toContain(instanceId.machine);
      expect((await project.run("status")).output).toMatch(/run +tiny-v1 {2}running[\s\S]*run +tiny-v1 {2}running/);
      await project.succeeds("down");
    });
  });

  describe("a lost machine of a sweep", { timeout: 200_000 }, () => {
    const project = new Project();
    afterAll(() => project.dispose());

    it("is launched anew while the other trains, and is no more once all trials are complete", async () => {
      const steps = Array.from({ length: 4 }, (_, at) => 40 + 5 * at);
      const cloud = await startTinyStack(project, {
        experiment: "swept",
        overrides: { seconds_per_step: 0.3 },
        sweep: { grid: { steps }, metric: "error" },
        stack: { instances: 2 },
      });
      await project.succeeds("up");
      const { instanceId } = (await project.outputs()) as { instanceId: Record<string, string> };
      await cloud.admin.terminate(instanceId["machine-2"] ?? "");
      expect(await project.run("watch", ["--repair"])).toMatchObject({ code: 0 });
      expect((await cloud.inventory()).instances).toHaveLength(2);
      await project.succeeds("wait");
      await project.succeeds("results");
      expect((await trialsOf(project)).map(({ state }) => state)).toEqual(steps.map(() => "complete"));
      const after = (await project.outputs()) as { instanceId: Record<string, string> };
      await cloud.admin.terminate(after.instanceId["machine-2"] ?? "");
      expect((await project.run("watch", ["--repair"])).output).not.toContain("Repairing");
      expect((await cloud.inventory()).instances).toEqual([instanceId.machine]);
      await project.succeeds("down");
    });
  });
});
