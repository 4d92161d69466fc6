import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { nothing, type TestCloud } from "../support/cloud";
import { Project } from "../support/project";
import { startTinyStack } from "../support/tiny";

/** An API that now and then does not show an instance that is there; each test goes on from the one before. */
describe("an instance that one answer does not know", { timeout: 120_000 }, () => {
  const project = new Project();
  let cloud: TestCloud;
  let id: string;

  const unknown = JSON.stringify({ error: { code: "global/object-does-not-exist", message: "It does not exist." } });
  /** The next answers to reads of an instance do not know it, nor do those of the list. */
  const hide = async (reads: number, lists = 0): Promise<void> => {
    await cloud.admin.removeAllFaults();
    const none = { status: 404, contentType: "application/json", body: unknown };
    const empty = { status: 200, contentType: "application/json", body: '{"data":[]}' };
    if (reads > 0) {
      await cloud.admin.addApiFault({ match: { operation: "getInstance" }, times: reads, action: { answer: none } });
    }
    if (lists > 0) {
      await cloud.admin.addApiFault({ match: { operation: "listInstances" }, times: lists, action: { answer: empty } });
    }
  };
  const hidden = async (): Promise<number[]> => (await cloud.admin.faults()).api.map(({ fired }) => fired);

  beforeAll(async () => {
    cloud = await startTinyStack(project, { overrides: { steps: 100_000 } });
  }, 60_000);
  beforeEach(() => cloud.admin.removeAllFaults());
  afterAll(() => project.dispose());

  it("right after its launch is waited for", async () => {
    // Two lists are read before the launch; each look after it reads the list, then the instance.
    await hide(5, 6);
    const output = await project.succeeds("up");
    const { instances } = await cloud.inventory();
    id = instances[0] ?? "";
    expect(instances).toHaveLength(1);
    expect(output).toContain(`instance ${id}`);
    expect(await hidden()).toEqual([5, 6]);
  });

  it("is not gone to status and watch", async () => {
    await hide(1, 1);
    const { instance, cost } = JSON.parse((await project.run("status", ["--json"])).output);
    // One answer is not waited for where the launch was moments ago.
    expect(instance).toMatchObject({ id, status: expect.stringMatching(/^active$|does not show it yet/) });
    expect(cost).not.toBeNull();
    await hide(1, 1);
    expect(await project.run("watch", ["--destroy"])).toMatchObject({ code: 0 });
    expect((await cloud.inventory()).instances).toEqual([id]);
  });

  it("stays in the state through a refresh, and is not replaced", async () => {
    await hide(2, 1);
    const { code, output: refreshed } = await project.pulumi(["refresh", "--yes"]);
    expect(code, refreshed).toBe(0);
    expect(await hidden()).toEqual([2, 1]);
    const output = await project.succeeds("up");
    expect(output).not.toContain("launched");
    expect((await project.outputs()).instanceId).toBe(id);
    expect((await cloud.inventory()).instances).toEqual([id]);
  });

  it("is terminated all the same", async () => {
    await hide(2);
    const output = await project.succeeds("down", ["--keep-cloud"]);
    expect(output).toContain(`instance ${id} (cpu_4x_general in us-east-1) is terminated`);
    expect(await cloud.inventory()).toEqual(nothing);
  });
});
