import { readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { Notice } from "../../notices/notice";
import { verifyResults } from "../../remote/transfer/download";
import { nothing, type TestCloud } from "../support/cloud";
import { Inbox } from "../support/inbox";
import { Project } from "../support/project";
import { configureTiny, startTinyStack, type TinyChanges, useTinyWorkload } from "../support/tiny";

/** Faults of the workload and of bringing results home, each through the real CLI. The first three share an instance. */
describe("faults of a run", { timeout: 180_000 }, () => {
  const project = new Project();
  let cloud: TestCloud;
  let inbox: Inbox;
  const results = (experiment: string): string => join(project.folder, "results", "test", experiment);

  beforeAll(async () => {
    cloud = await startTinyStack(project);
    inbox = await Inbox.start();
  });
  beforeEach(() => useTinyWorkload(project));
  afterEach(() => cloud.admin.removeAllFaults());
  afterAll(async () => {
    await project.dispose();
    inbox.stop();
  });

  const up = (...args: string[]): Promise<string> => project.succeeds("up", args);
  const again = (): TinyChanges => ({
    experiment: "again",
    overrides: { fail_at: 10, steps: 100_000, seconds_per_step: 0.5 },
    stack: { notify: [{ webhook: `${inbox.address}/hook` }] },
  });
  const lastCheckpoint = (experiment: string): { step: number; started_at: number[] } =>
    JSON.parse(readFileSync(join(results(experiment), "checkpoints", "last.json"), "utf8"));

  it("training that crashes later is seen by a refresh, and goes on from its checkpoint", async () => {
    const experiment = "crashed";
    configureTiny(project, { experiment, overrides: { fail_at: 12, steps: 30, seconds_per_step: 0.5 } });
    await up();
    expect((await project.run("wait")).code).toBe(1);
    configureTiny(project, { experiment, overrides: { fail_at: 0, steps: 30 } });
    await up("--refresh");
    expect(await project.run("wait")).toMatchObject({ code: 0 });
    expect((await project.run("results")).code).toBe(0);
    expect(lastCheckpoint(experiment)).toMatchObject({ step: 30, started_at: [0, 10] });
  });

  it("an up without a change starts a run again that a refresh has seen fail", async () => {
    // It crashes at a step whose checkpoint is written, so that the next attempt gets past it.
    configureTiny(project, again());
    await up();
    await project.run("wait");
    expect(inbox.at<Notice>("/hook").map(({ event }) => event)).toEqual(["started", "failed"]);
    expect(inbox.at<Notice>("/hook")[1]?.text).toMatch(/training failed with status \d+: /);
    expect(await up("--refresh")).toContain("it starts again");
    expect(JSON.parse((await project.run("status", ["--json"])).output).run).toMatchObject({
      state: "running",
      attempt: 2,
    });
    expect(inbox.at<Notice>("/hook").map(({ event }) => event)).toEqual(["started", "failed", "started"]);
  });

  it("destroy does not terminate while the results cannot be brought home", async () => {
    // What the test before has started goes on.
    configureTiny(project, again());
    const { instances } = await cloud.inventory();
    renameSync(join(project.folder, "results"), join(project.folder, "results.aside"));
    project.write("results", "a file where the folder should be");
    const output = await project.fails("down", ["--keep-cloud"]);
    expect(output).toContain("keeps running and billing");
    expect(output).toContain("npm run down -- --lose-results");
    expect((await cloud.inventory()).instances).toEqual(instances);
    rmSync(join(project.folder, "results"));
    renameSync(join(project.folder, "results.aside"), join(project.folder, "results"));
    // The Pulumi CLI alone does it as well, and tells.
    const { code, output: destroyed } = await project.pulumi(["destroy", "--yes", "--skip-preview"]);
    expect(code, destroyed).toBe(0);
    expect(inbox.at<Notice>("/hook").at(-1)).toMatchObject({
      event: "terminated",
      results: "results/test/crashed, results/test/again",
    });
    expect(await verifyResults(results("again"))).toMatchObject({ ok: true });
    expect(lastCheckpoint("again").step).toBeGreaterThan(0);
    expect(await cloud.inventory()).toEqual(nothing);
  });

  it("a download cut again and again comes home whole", async () => {
    configureTiny(project, { overrides: { steps: 20, seconds_per_step: 0.01 } });
    project.write(
      "tiny/train.py",
      `${project.read("tiny/train.py")}\nimport os\n(out / "checkpoints" / "big.bin").write_bytes(os.urandom(3_000_000))\n`,
    );
    await up();
    await project.run("wait");
    await cloud.admin.addLinkFault({ match: {}, times: 4, trouble: { kind: "drop-after", bytes: 700_000 } });
    await project.succeeds("down", ["--keep-cloud"]);
    expect(await verifyResults(results("tiny-v1"))).toMatchObject({ ok: true });
    expect(await cloud.inventory()).toEqual(nothing);
  });

  it("results are given up only when the user says so", async () => {
    configureTiny(project, { overrides: { steps: 100_000 } });
    await up();
    const { instances } = await cloud.inventory();
    await cloud.admin.addLinkFault({ match: { instanceId: instances[0] ?? "" }, trouble: { kind: "refuse" } });
    const output = await project.succeeds("down", ["--keep-cloud", "--lose-results"]);
    expect(output).toContain("results given up");
    expect(await cloud.inventory()).toEqual(nothing);
  });
});
