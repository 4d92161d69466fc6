import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parseLedger } from "../../lambda/billing/ledger";
import { verifyResults } from "../../remote/transfer/download";
import type { TestCloud } from "../support/cloud";
import { Project } from "../support/project";
import { startTinyStack } from "../support/tiny";

/** What commands on one of several machines do, on a stack that has one; each test goes on from where the one before ended. */
describe("a machine and a run by their names", { timeout: 120_000 }, () => {
  const project = new Project();
  const results = join(project.folder, "results", "test");
  let cloud: TestCloud;

  beforeAll(async () => {
    cloud = await startTinyStack(project, { overrides: { steps: 100_000 } });
    await project.succeeds("up");
  }, 120_000);
  afterAll(() => project.dispose());

  it("are taken by commands, also where there is one of each", async () => {
    expect(await project.succeeds("ssh", ["--machine", "machine", "cat", "setups"])).not.toBe("");
    expect(await project.succeeds("exec", ["--run", "tiny-v1", "pwd"])).toContain("/home/ubuntu/tiny");
    expect(await project.succeeds("logs", ["--run", "run", "--no-follow", "-n", "1"])).toMatch(/^step \d+ loss/);
    expect(await project.run("results", ["--run", "other"])).toMatchObject({
      code: 2,
      output: expect.stringContaining("Stack test has no run other. It has: machine machine, run run."),
    });
  });

  it("end alone, as `watch` ends a machine of several: results at home, billed, the rest of the stack left for an up", async () => {
    const part = ["--target=**::instance-launches", "--target-dependents"];
    const output = await project.succeeds("down", ["--keep-cloud", "--", ...part]);
    expect(output).toMatch(/results-guard.*verified in results\/test\/tiny-v1/);
    expect(await cloud.inventory()).toMatchObject({ instances: [], sshKeys: [expect.any(String)] });
    expect(await verifyResults(join(results, "tiny-v1"))).toMatchObject({ ok: true });
    const { bills } = parseLedger(join(results, "ledger.jsonl"));
    expect(bills).toMatchObject([{ endedBy: "us", runs: [{ experiment: "tiny-v1", outcome: "stopped" }] }]);
    expect(await project.run("watch")).toMatchObject({ code: 3, output: expect.stringContaining("none is billed") });
    expect(await project.succeeds("up")).toMatch(/launched cpu_4x_general/);
  });
});
