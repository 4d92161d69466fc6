import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { stringify } from "yaml";
import { parseLedger } from "../../lambda/billing/ledger";
import { verifyResults } from "../../remote/transfer/download";
import { nothing, TestCloud } from "../support/cloud";
import { Project } from "../support/project";

/** Fails where there is no secret, or a process has it among its arguments. */
const notInArguments =
  'test -n "$HF_TOKEN" && printenv HF_TOKEN > /tmp/pattern && ! grep -qsF -f /tmp/pattern /proc/[0-9]*/cmdline; status=$?; rm /tmp/pattern; exit $status';

/** The reference workload on two machines; each test goes on from where the one before ended. */
describe("one training on two machines", { timeout: 600_000 }, () => {
  const project = new Project();
  const home = join(project.folder, "results/test");
  let cloud: TestCloud;

  /** The reference workload, small enough for several processes on the cores of a laptop. */
  const configure = (experiment: string, train: object): void => {
    const overrides = { training: { epochs: 4, checkpoint_every_epochs: 1 } };
    const file = {
      experiment,
      workload: { source: "examples/hmer-ink" },
      dataset: {
        source: "examples/hmer-ink/data",
        prepare: "python3 scripts/make_data.py --out data --train 384 --valid 64 --test 64",
      },
      environment: { secrets: ["HF_TOKEN"] },
      gate: { gpu: "optional", minDiskGiB: 1, modules: ["torch"], command: notInArguments },
      train: {
        command: 'test -n "$HF_TOKEN" && make train CONFIG={config} EXPERIMENT={experiment}',
        ...{ config: "configs/default.yaml", overrides, graceSeconds: 20, ...train },
      },
    };
    project.write("configs/nodes.yaml", stringify(file));
    project.configure({ experiment: "configs/nodes.yaml", budgetDollars: 10, expectedHours: 1 });
  };
  /** What the evaluation says, to the digit. */
  const lossOf = (experiment: string): number =>
    (JSON.parse(readFileSync(join(home, experiment, "metrics/evaluation.json"), "utf8")) as { loss: number }).loss;
  const instances = async (): Promise<Record<string, string>> =>
    (await project.outputs()).instanceId as Record<string, string>;

  beforeAll(async () => {
    project.env.HF_TOKEN = "hf_of-the-nodes";
    configure("two", { nodes: 2, processes: 2 });
    await project.init();
    cloud = await TestCloud.start(project);
  }, 120_000);
  afterAll(() => project.dispose());

  it("measures the way between them, and trains as one run", async () => {
    const up = await project.succeeds("up");
    expect(up).toMatch(/pair machine - machine-2: \d+\.\d\d GB\/s by gloo/);
    expect(up.match(/Launching 2 × cpu_4x_general/g)?.length).toBe(2);
    expect(up).toMatch(/first step: .* step 1 epoch 1 loss/);
    expect(await project.outputs()).toMatchObject({ experiment: "two", runStatus: "running" });
  });

  it("ends no machine of a run that goes on", async () => {
    configure("one", { processes: 4 });
    expect(await project.fails("up")).toContain("two still trains on 2 machines, and train.nodes is now 1");
    expect((await cloud.inventory()).instances).toHaveLength(2);
  });

  it("has one end, which rank 0 tells", async () => {
    expect(await project.succeeds("wait")).toContain("two: finished (exit status 0)");
    expect(await project.succeeds("logs", ["--no-follow"])).toContain("4 process(es)");
    expect(await project.succeeds("logs", ["--no-follow", "--rank", "1"])).toContain("training ended with status 0");
    await project.succeeds("results");
    expect(await verifyResults(join(home, "two"))).toMatchObject({ ok: true });
    for (const rank of ["0", "1"])
      expect(await project.succeeds("exec", ["--rank", rank, "--home", "ls", ".lambda-train/secrets"])).toBe("");
  });

  it("runs a job on the machine of a rank, and commands on that of rank 0 where none is chosen", async () => {
    const script = `mkdir -p outputs/late; echo "\${#HF_TOKEN} letters" > outputs/late/said; sleep 1000`;
    expect(await project.succeeds("exec", ["--rank", "1", "-d", "late", "--", "sh", "-c", script])).toContain(
      "late runs on machine-2, beside two.",
    );
    expect(await project.fails("exec", ["-d", "late", "--", "true"])).toContain("late is a job on machine-2.");
    expect(await project.succeeds("status")).toMatch(/rank 1 of 2 machines[\s\S]*jobs +late +starting/);
    const there =
      "until test -s ~/lambda-train/jobs/late/hmer-ink/outputs/late/said; do sleep 0.1; done; ls ~/lambda-train";
    expect(await project.succeeds("exec", ["--rank", "1", "sh", "-c", there])).toBe("jobs\n");
    expect(await project.fails("exec", ["ls", "/home/ubuntu/lambda-train"])).toContain("No such file");
  });

  it("ends where as many processes on one machine end, which stays when the other leaves", async () => {
    const { machine } = await instances();
    const up = await project.succeeds("up");
    expect(up).toContain("two: only the run's own log is in results/test/rank.1/two");
    expect(up).toMatch(/late: \d+ files?, .* verified in results\/test\/rank\.1\/late/);
    expect(readFileSync(join(home, "rank.1/late/said"), "utf8")).toBe("15 letters\n");
    expect(await verifyResults(join(home, "rank.1/two"))).toMatchObject({ ok: true });
    expect(await project.outputs()).toMatchObject({ experiment: "one", instanceId: machine });
    expect((await cloud.inventory()).instances).toEqual([machine]);
    await project.succeeds("wait");
    await project.succeeds("results");
    expect(lossOf("one")).toBeCloseTo(lossOf("two"), 3);
  });

  it("goes on from rank 0's last checkpoint on another machine where one is lost, with the same end", async () => {
    configure("three", { nodes: 2, processes: 2 });
    const { instanceId: machine } = await project.outputs();
    await project.succeeds("up");
    const before = await instances();
    expect(before.machine).toBe(machine);
    // Rank 0 hangs, as in a collective whose other side is gone without a word.
    const reached = "until test -e outputs/three/checkpoints/checkpoint_epoch_1.pt; do sleep 0.1; done";
    const on = (rank: string, line: string) => project.succeeds("exec", ["--rank", rank, "bash", "-c", line]);
    await on("0", `${reached}; pkill -STOP -f [h]mer_ink.train`);
    await on("1", "pkill -9 -f [h]mer_ink.train");
    expect(await project.fails("wait")).toMatch(/stopping \(rank 1 failed\)[\s\S]*three: stopped/);
    await cloud.admin.terminate(before["machine-2"] ?? "");
    expect(await project.succeeds("up")).toContain("launching beside the machines that train together in us-east-1");
    const after = await instances();
    expect(after.machine).toBe(machine);
    expect(after["machine-2"]).not.toBe(before["machine-2"]);
    expect(await project.succeeds("wait")).toMatch(/resumed at step \d+/);
    const log = await project.succeeds("logs", ["--rank", "1", "--no-follow"]);
    expect(log).toMatch(/took \d+ checkpoint files \(\d+\.\d MB\) from machine in/);
    await project.succeeds("results");
    expect(lossOf("three")).toBeCloseTo(lossOf("two"), 3);
  });

  it("leaves nothing behind, and a bill for each instance", async () => {
    await project.succeeds("down", ["--keep-cloud"]);
    expect(await cloud.inventory()).toEqual(nothing);
    expect(parseLedger(join(home, "ledger.jsonl")).bills).toHaveLength(4);
  });
});
