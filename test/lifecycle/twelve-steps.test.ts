import { execFileSync } from "node:child_process";
import { cpSync, existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { TestCloud } from "../support/cloud";
import { serveFile } from "../support/file-server";
import { mathwritingFiles, writeMathwriting } from "../support/mathwriting";
import { Project } from "../support/project";

const divisor = 100;
const shipped = "configs/mathwriting.yaml";

/** The job that the twelve steps were written for, by the files that ship: a clone of its shape, a stand-in of its data. */
describe("HMER-Ink on MathWriting 2024", { timeout: 240_000 }, () => {
  const project = new Project("mathwriting");
  let archive: Awaited<ReturnType<typeof serveFile>>;
  let clone: string;

  beforeAll(async () => {
    const repository = join(project.folder, "hmer-ink");
    cpSync(join(__dirname, "../fixtures/own-job"), repository, { recursive: true });
    const git = (...args: string[]): void =>
      void execFileSync("git", ["-C", repository, "-c", "user.name=a", "-c", "user.email=a@example.com", ...args]);
    git("init", "--quiet", "--initial-branch=main");
    git("add", ".");
    git("commit", "--quiet", "-m", "one");
    clone = `file://${repository}/.git`;
    const path = join(project.folder, "mathwriting-2024.tgz");
    writeMathwriting(path, divisor);
    archive = await serveFile(path);
    await project.init();
  });
  afterAll(async () => {
    await archive.close();
    await project.dispose();
  });

  /** Replaces what must be there once. */
  const replace = (file: string, old: string, by: string): void => {
    expect(project.read(file).split(old)).toHaveLength(2);
    project.write(file, project.read(file).replace(old, by));
  };

  it("asks for the address of the clone, and for nothing else", async () => {
    expect(await project.fails("up", ["--preview-only"])).toContain(
      `${shipped}: workload.source is null: must be a folder or a git URL`,
    );
    replace(shipped, "  source:\n", `  source: ${clone}\n`);
    const said = await project.succeeds("up", ["--preview-only"]);
    expect(said).toContain("gpu_1x_a10");
    expect(said).toContain("train.config: setup makes configs/lambda.yaml.");
  });

  it("trains from up to down, and all of it comes home", async () => {
    // Here are neither Google's archive nor a GPU.
    replace(shipped, "https://storage.googleapis.com/mathwriting_data/mathwriting-2024.tgz", archive.url);
    replace(shipped, "gate:\n  minDiskGiB: 20\n", "gate:\n  gpu: optional\n  minDiskGiB: 1\n  modules: [only_there]\n");
    project.configure({ experiment: shipped });
    await (await TestCloud.start(project)).letReach(archive.url);
    const up = await project.succeeds("up");
    expect(up).toMatch(/first step: .* epoch 1\/3 step 2298 loss/);
    await project.succeeds("wait");
    const listed = await project.succeeds("exec", [
      "--",
      "bash",
      "-c",
      "find data -name '*.inkml' | wc -l; command -v python",
    ]);
    const files = Object.values(mathwritingFiles).reduce((sum, each) => sum + Math.floor(each / divisor), 0);
    expect(listed).toContain(`${files}\n`);
    expect(listed).toContain("/miniconda3/envs/hmer-ink/bin/python");
    await project.succeeds("up", ["--refresh"]);
    expect(await project.outputs()).toMatchObject({
      experiment: "lambda-run-v1",
      metrics: { "metrics/evaluation.json": { expression_accuracy: 0.5, test_inks: 76 } },
    });
    await project.succeeds("down");
    const home = join(project.folder, "results/mathwriting/lambda-run-v1");
    expect(readdirSync(join(home, "checkpoints")).sort()).toEqual([
      "best_model.pt",
      ...[1, 2, 3].map((epoch) => `checkpoint_epoch_${epoch}.pt`),
    ]);
    for (const file of ["logs/train.log", "metrics/history.json", "metrics/evaluation.json", "run/train.log"])
      expect(existsSync(join(home, file)), file).toBe(true);
    expect(project.read("results/mathwriting/lambda-run-v1/config.yaml")).toBe(
      "# For a laptop.\ndevice: auto   # or cuda\nepochs: 1\n",
    );
    expect(project.read("results/mathwriting/lambda-run-v1/checkpoints/best_model.pt")).toContain("envs/hmer-ink");
  });
});
