import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { stringify } from "yaml";
import { resultsOf } from "../../plan/fleet";
import { makePlan } from "../../plan/plan";
import type { Plan } from "../../plan/types";

/** How many machines a plan has, and what each does. */
describe("the fleet of a plan", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "lambda-train-fleet-"));
    vi.stubEnv("LAMBDA_TRAIN_LOCAL", join(folder, "local"));
  });
  afterEach(() => {
    vi.unstubAllEnvs();
    rmSync(folder, { recursive: true, force: true });
  });

  const planOf = (
    train: object = {},
    config: Readonly<Record<string, string>> = {},
    more: object = {},
  ): Promise<Plan> => {
    const file = join(folder, "experiment.yaml");
    const workload = { source: resolve(__dirname, "../fixtures/tiny") };
    writeFileSync(file, stringify({ experiment: "exp", workload, train, ...more }));
    const cloud = { endpoint: "emulated", instanceTypes: '["cpu_4x_general"]', regions: '["us-east-1"]' };
    return makePlan("test", { experiment: file, ...cloud, ...config });
  };

  it("is one machine and one run, with nothing in the plan that tells of others", async () => {
    const { machines, runs } = await planOf();
    expect([machines.length, runs.length]).toEqual([1, 1]);
    expect(machines[0]?.machine).toBe("machine");
    expect(machines[0]?.cloud).not.toHaveProperty("instances");
    expect(machines[0]?.cloud).not.toHaveProperty("together");
    expect(runs[0]).toMatchObject({ name: "run", machine: "machine" });
    expect(runs[0]?.run).not.toHaveProperty("node");
    expect(runs[0]?.run).not.toHaveProperty("processes");
    expect(await planOf({ nodes: 1 }, { instances: "1" })).toEqual(await planOf());
  });

  it("has a cluster over its nodes where that is asked for, whose dashboard is the run's unless it has its own", async () => {
    const { runs } = await planOf({ nodes: 2, cluster: "ray" });
    expect(runs.map(({ run, dashboard }) => [run.cluster, dashboard])).toEqual([
      ["ray", { port: 8265 }],
      ["ray", undefined],
    ]);
    const [alone] = (await planOf({ cluster: "ray" })).runs;
    expect(alone?.run).toMatchObject({ cluster: "ray" });
    expect(alone?.run.hash).not.toBe((await planOf()).runs[0]?.run.hash);
    const both = planOf({ nodes: 2, cluster: "ray", processes: "auto" });
    await expect(both).rejects.toThrow('train.processes is "auto": train.cluster: ray starts the processes');
    await expect(planOf({ cluster: "dask" })).rejects.toThrow(/train.cluster is "dask": must be ray/);
  });

  it("has a machine and a run for each node, of which the first leads", async () => {
    const { machines, runs } = await planOf({ nodes: 3, processes: "auto" }, { budgetDollars: "9" });
    const names = ["machine", "machine-2", "machine-3"];
    expect(machines.map(({ machine }) => machine)).toEqual(names);
    for (const { cloud } of machines) expect(cloud).toMatchObject({ instances: 3, together: true, budgetDollars: 9 });
    expect(runs.map(({ name, machine, run }) => [name, machine, run.node?.rank])).toEqual([
      ["run", "machine", 0],
      ["run-2", "machine-2", 1],
      ["run-3", "machine-3", 2],
    ]);
    expect(runs.map(({ run }) => [run.experiment, run.processes, run.node?.machines])).toEqual(
      names.map(() => ["exp", "auto", names]),
    );
    expect(runs.map(({ evaluation, dashboard }) => [evaluation !== undefined, dashboard !== undefined])).toEqual([
      [true, true],
      [false, false],
      [false, false],
    ]);
    expect(new Set(runs.map(({ run }) => run.hash)).size).toBe(1);
  });

  it("is another run with other nodes or processes", async () => {
    const hashes = await Promise.all(
      [{}, { nodes: 2 }, { nodes: 3 }, { processes: 2 }].map(async (train) => (await planOf(train)).runs[0]?.run.hash),
    );
    expect(new Set(hashes).size).toBe(4);
  });

  it("brings the results of each rank to a folder of its own", async () => {
    const { results, runs } = await planOf({ nodes: 2 });
    expect(runs.map((run) => resultsOf(results, [run]).directory)).toEqual(["results/test", "results/test/rank.1"]);
  });

  it("has places of their own in a bucket for other ranks than 0", async () => {
    const inBucket = {
      results: { bucket: "s3://models/runs" },
      checkpoints: { sync: "bucket" },
      environment: { secrets: ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"] },
    };
    const { runs } = await planOf({ nodes: 2 }, {}, inBucket);
    expect(runs.map(({ run: { bucket, checkpoints } }) => [bucket?.url, checkpoints?.bucket?.url])).toEqual([
      ["s3://models/runs/test/exp", "s3://models/runs/test/exp/checkpoints"],
      ["s3://models/runs/test/rank.1/exp", "s3://models/runs/test/rank.1/exp/checkpoints"],
    ]);
    expect((await planOf({ nodes: 2 })).runs[1]?.run).not.toHaveProperty("bucket");
  });

  it.each([
    [{}, "4", /lambda-train:instances is 4: .*nothing tells what the other instances would do.*train.nodes: 4/],
    [{ nodes: 2 }, "3", /lambda-train:instances is 3: train.nodes is 2.*Leave lambda-train:instances out/],
    [{}, "1.5", /lambda-train:instances is "?1.5"?: must be a whole number of instances/],
    [{ nodes: 0 }, "1", /train.nodes is 0: must be 1 to 100 machines/],
    [{ processes: "all" }, "1", /train.processes is "all": must be auto or a number of processes/],
  ])("is refused where %j meets instances: %s", async (train, instances, message) => {
    const refused = await planOf(train, { instances }).catch((error: Error) => error.message);
    expect(String(refused).replaceAll("\n", " ")).toMatch(message);
  });

  it("costs what all of it costs", async () => {
    const { forecast, overLimits } = await import("../../lambda/billing/forecast");
    const limits = { instances: 4, expectedHours: 2, budgetDollars: 9 };
    expect(forecast(129, limits).expectedDollars).toBeCloseTo(10.32);
    expect(overLimits(129, limits)).toBe("2 h at $1.29 × 4 instances = $10.32 is over budgetDollars $9.00");
    expect(overLimits(129, { ...limits, maxPricePerHour: 2, budgetDollars: 20 })).toBeUndefined();
  });
});
