import { existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { stringify } from "yaml";
import { verifyResults } from "../../remote/transfer/download";
import { TestCloud } from "../support/cloud";
import { Project } from "../support/project";

/** Writes where frameworks write by themselves; nothing of it is below outputs/. */
const lightning = `
import os, time
for f in ("lightning_logs/version_0/checkpoints/epoch=0-step=5.ckpt", "wandb/offline-run-1/run-abc.wandb",
          "runs/train/exp2/weights/best.pt", os.path.expanduser("~/ckpts/model.pt"), "/tmp/ckpt-abs/model.pt"):
    os.makedirs(os.path.dirname(f), exist_ok=True)
    open(f, "w").write("weights " * 1000)
os.symlink("offline-run-1", "wandb/latest-run")
open("train.log.csv", "a").write("epoch,loss\\n")
for i in range(3):
    print(f"Epoch {i}: train_loss=2.3", flush=True)
    time.sleep(0.3)
`;

const checkpoint = (path: string): string =>
  `import os; os.makedirs(os.path.dirname("${path}"), exist_ok=True); open("${path}", "wb").write(bytes(2_000_000))\n`;

/** Through the real commands: what training writes outside of results.outputs. */
describe("what training writes outside of its outputs", { timeout: 240_000 }, () => {
  const project = new Project();
  let cloud: TestCloud;

  beforeAll(async () => {
    project.configure();
    await project.init();
    cloud = await TestCloud.start(project);
  });
  // Each test ends its instance.
  afterEach(() => {
    for (const path of ["results", "mine", "numbers"])
      rmSync(join(project.folder, path), { recursive: true, force: true });
  });
  afterAll(() => project.dispose());

  const configure = (changes: { train?: object; results?: object; dataset?: object } = {}): void => {
    project.write(
      "configs/mine.yaml",
      stringify({
        experiment: "mine",
        workload: { source: "mine" },
        environment: { setup: null },
        gate: { gpu: "optional", minDiskGiB: 0, modules: [] },
        evaluate: null,
        dashboard: null,
        ...changes,
        train: { command: "python3 train.py", config: null, waitFor: "end", graceSeconds: 5, ...changes.train },
      }),
    );
    project.configure({ experiment: "configs/mine.yaml" });
  };
  const up = (program: string, changes: Parameters<typeof configure>[0] = {}): Promise<string> => {
    project.write("mine/train.py", program);
    configure(changes);
    return project.succeeds("up");
  };
  const home = (path = ""): string => join(project.folder, "results/test/mine", path);

  it("is told, and comes home with the rest before the instance ends", async () => {
    const told = await up(lightning);
    expect(told).toMatch(/Written outside of the outputs folder.*lightning_logs\/ \(1 file/);
    const status = await project.succeeds("status");
    expect(status).toMatch(/elsewhere +.*lightning_logs\/.*/);
    expect(status).toMatch(/not downloaded yet/);
    expect(await project.succeeds("wait", ["--quiet"])).toMatch(/downloads go to beside\/: .*~\/ckpts\/ \(1 file/);

    const down = await project.succeeds("down", ["--keep-cloud"]);
    expect(down).toMatch(/files, 0\.0 MB verified in/);
    expect(down).toMatch(/not downloaded.*\/tmp\/ckpt-abs \(1 file.*outside of the workspace/);
    for (const path of [
      "beside/lightning_logs/version_0/checkpoints/epoch=0-step=5.ckpt",
      "beside/wandb/offline-run-1/run-abc.wandb",
      "beside/wandb/latest-run/run-abc.wandb",
      "beside/runs/train/exp2/weights/best.pt",
      "beside/train.log.csv",
      "beside/home/ckpts/model.pt",
    ]) {
      expect(existsSync(home(path)), path).toBe(true);
    }
    expect(existsSync(home("beside/train.py"))).toBe(false);
    expect((await verifyResults(home())).ok).toBe(true);
    expect((await cloud.inventory()).instances).toEqual([]);
  });

  it("comes home where somebody trained by hand, because the gate kept the run from its start", async () => {
    project.write("mine/train.py", checkpoint("outputs/by-hand/best.pt"));
    project.write(
      "configs/mine.yaml",
      stringify({
        experiment: "mine",
        workload: { source: "mine" },
        environment: { setup: "echo ready > prepared.txt" },
        gate: { gpu: "optional", minDiskGiB: 0, modules: ["no_such_module"] },
        train: { command: "python3 train.py", config: null },
        evaluate: null,
        dashboard: null,
      }),
    );
    project.configure({ experiment: "configs/mine.yaml" });
    expect(await project.fails("up")).toContain("no_such_module");
    await project.succeeds("exec", ["--home", "--", "bash", "-c", "cd mine && python3 train.py"]);
    const down = await project.succeeds("down", ["--keep-cloud"]);
    expect(down).toContain("was never started, but files were written there since setup");
    expect(down).toMatch(/1 file, 2\.0 MB verified in/);
    expect(existsSync(home("beside/outputs/by-hand/best.pt"))).toBe(true);
    expect(existsSync(home("beside/prepared.txt"))).toBe(false);
    expect((await cloud.inventory()).instances).toEqual([]);
  });

  it("a dataset that training rewrites is named and left there; a checkpoint among it stops the end", async () => {
    project.write("numbers/train/a.txt", "1 2 3\n");
    await up(
      `open("data/train/a.txt", "w").write("2 3 4\\n")\nopen("notes.txt", "w").write("done")\n` +
        `${checkpoint("data/ckpt/best.pt")}print("step 1 loss 1")\n`,
      { dataset: { source: "numbers", splits: ["train"] } },
    );
    const results = await project.succeeds("results");
    expect(results).toMatch(/data \(2 files, 2\.0 MB: the dataset's folder; data\/ckpt\/best\.pt of 2\.0 MB/);
    expect(results).toMatch(/WARNING: No checkpoint is among the results of mine/);
    expect(existsSync(home("beside/notes.txt"))).toBe(true);
    expect(existsSync(home("beside/data"))).toBe(false);

    const stopped = await project.fails("down");
    expect(stopped).toMatch(/data\/ckpt\/best\.pt \(1 file, 2\.0 MB\) looks like one/);
    expect(stopped).toMatch(/keeps running and billing[\s\S]*results\.include/);
    expect((await cloud.inventory()).instances).toHaveLength(1);

    configure({ dataset: { source: "numbers", splits: ["train"] }, results: { include: ["data/ckpt/**"] } });
    await project.succeeds("up");
    expect(JSON.parse(await project.succeeds("status", ["--json"])).run).toMatchObject({
      state: "finished",
      attempt: 1,
    });
    const down = await project.succeeds("down", ["--keep-cloud"]);
    expect(down).toMatch(/downloads go to beside\/: .*data\/ \(1 file/);
    expect(existsSync(home("beside/data/ckpt/best.pt"))).toBe(true);
    expect(existsSync(home("beside/data/train/a.txt"))).toBe(false);
  });

  it("a run that has left nothing but its log does not end without a word", async () => {
    await up(`print("step 1 loss 1")\n`);
    const results = await project.succeeds("results");
    expect(results).not.toMatch(/verified/);
    expect(results).toMatch(/only the run's own log is in/);
    expect(await project.succeeds("status")).toMatch(/not downloaded yet/);
    const stopped = await project.fails("down");
    expect(stopped).toMatch(/mine left nothing but its log/);
    expect(stopped).toMatch(/--lose-results/);
    expect((await cloud.inventory()).instances).toHaveLength(1);
    expect(await project.succeeds("down", ["--lose-results", "--keep-cloud"])).toMatch(/results given up/);
    expect((await cloud.inventory()).instances).toEqual([]);
  });

  it("a run that failed at once and wrote nothing ends, and that is said", async () => {
    project.write("mine/train.py", `raise SystemExit("no such thing")\n`);
    configure();
    await project.fails("up");
    const down = await project.succeeds("down", ["--keep-cloud"]);
    expect(down).toMatch(/ended before its first step and wrote nothing/);
    expect(down).not.toMatch(/verified/);
    expect((await cloud.inventory()).instances).toEqual([]);
  });

  it("what one configuration reached is not lost under what the next one writes", async () => {
    const program = `
import os
for f in ("outputs/mine/best.pt", "lightning_logs/best.ckpt"):
    os.makedirs(os.path.dirname(f), exist_ok=True)
    open(f, "w").write(os.environ["RATE"])
print("step 1 loss 1")
`;
    await up(program, { train: { variables: { RATE: "one" } } });
    configure({ train: { variables: { RATE: "two" } } });
    await project.succeeds("up");
    await project.succeeds("down", ["--keep-cloud"]);
    const folders = readdirSync(join(project.folder, "results/test")).filter((name) => /^mine(\.|$)/.test(name));
    const reached = (path: string): string[] =>
      folders.map((name) => project.read(join("results/test", name, path))).sort();
    expect(folders).toHaveLength(2);
    expect(reached("best.pt")).toEqual(["one", "two"]);
    expect(reached("beside/lightning_logs/best.ckpt")).toEqual(["one", "two"]);
    for (const name of folders) expect((await verifyResults(home(`../${name}`))).ok).toBe(true);
  });
});
