import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { cp, mkdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { stringify } from "yaml";
import { makePlan } from "../../plan/plan";
import { type Job, jobsOf } from "../../plan/types";
import { lfsPointer, TestRepository } from "../support/repository";

/** The whole plan, from files on disk. */
describe("a plan", () => {
  let folder: string;
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), "lambda-train-plan-"));
    vi.stubEnv("LAMBDA_TRAIN_LOCAL", join(folder, "local"));
    await cp(join(__dirname, "../fixtures/tiny"), join(folder, "work", "code"), { recursive: true });
    await cp(join(folder, "work/code/scripts"), join(folder, "work/scripts"), { recursive: true });
    for (const path of ["work/data/train", "work/code/outputs/exp"]) {
      await mkdir(join(folder, path), { recursive: true });
      writeFileSync(join(folder, path, "file"), "x");
    }
  });
  afterEach(() => {
    vi.unstubAllEnvs();
    rmSync(folder, { recursive: true, force: true });
  });

  const planOf = async (change: object = {}): Promise<Job> => {
    const file = join(folder, "experiment.yaml");
    const base = {
      experiment: "exp",
      workload: { source: join(folder, "work") },
      dataset: { source: join(folder, "work/data"), splits: ["train"] },
      train: { directory: "code" },
    };
    writeFileSync(file, stringify({ ...base, ...change }));
    const regions = JSON.stringify(["us-east-1"]);
    const instanceTypes = JSON.stringify(["cpu_4x_general"]);
    const plan = await makePlan("test", { experiment: file, endpoint: "emulated", instanceTypes, regions });
    const [job] = jobsOf(plan);
    if (job === undefined) throw new Error("The plan has no run.");
    return job;
  };
  const write = (path: string, text: string): void => writeFileSync(join(folder, "work", path), text);

  it("has outputs where training runs, and dataset and setup in the workspace", async () => {
    const plan = await planOf();
    expect(plan.run).toMatchObject({ directory: "code", outputs: "code/outputs" });
    expect(plan.workload.protectedPaths).toEqual(["code/outputs", "data"]);
    expect(plan.environment.inputs).toEqual(["scripts/lambda_setup.sh"]);
    expect((await planOf({ train: {}, workload: { source: join(folder, "work/code") } })).run.outputs).toBe("outputs");
    const slashes = await planOf({
      results: { outputs: "out/" },
      dataset: { source: join(folder, "work/data"), splits: ["train"], target: "./d/" },
    });
    expect(slashes.workload.protectedPaths).toEqual(["code/out", "d"]);
  });

  it("resumes by itself with the same hash, and by a command with another; copies need a file system", async () => {
    const train = { directory: "code" };
    const { run } = await planOf();
    const itself = (await planOf({ train: { ...train, resume: "auto", checkpoint: "*.pt" } })).run;
    expect(itself).toMatchObject({ hash: run.hash, resume: { checkpoint: "*.pt" } });
    const command = (await planOf({ train: { ...train, resume: "go {checkpoint} {experiment}" } })).run;
    expect(command.resume).toEqual({ command: "go {checkpoint} exp", checkpoint: undefined });
    expect(command.hash).not.toBe(run.hash);
    await expect(planOf({ train: { ...train, resume: "automatic" } })).rejects.toThrow(
      /resume is "automatic": must be auto/,
    );
    const home = (await planOf({ checkpoints: { sync: "home", everyMinutes: 2 } })).run;
    expect(home).toMatchObject({ hash: run.hash, checkpoints: { sync: "home", everySeconds: 120, keep: 2 } });
    await expect(planOf({ checkpoints: { sync: "fileSystem" } })).rejects.toThrow(
      /checkpoints\.sync is "fileSystem": the stack has no file system/,
    );
  });

  it("has hashes that change with what they stand for, and with nothing else", async () => {
    const hashes = async (change: object = {}): Promise<string[]> => {
      const { workload, dataset, environment, run } = await planOf(change);
      return [workload.hash, dataset?.hash ?? "", environment.hash, run.hash];
    };
    const before = await hashes();
    const changed = async (change: object = {}): Promise<boolean[]> =>
      (await hashes(change)).map((hash, index) => hash !== before[index]);
    expect(await changed()).toEqual([false, false, false, false]);
    write("code/outputs/exp/file", "y");
    expect(await changed()).toEqual([false, false, false, false]);
    expect(await changed({ gate: { gpu: "optional" }, results: { directory: "here" } })).toEqual([
      false,
      false,
      false,
      false,
    ]);
    expect(await changed({ train: { directory: "code", overrides: { steps: 1 } } })).toEqual([
      true,
      false,
      false,
      true,
    ]);
    expect(await changed({ environment: { answer: "y" } })).toEqual([false, false, true, false]);
    expect(await changed({ environment: { variables: { A: "1" } } })).toEqual([false, false, true, true]);
    write("data/train/file", "y");
    expect(await changed()).toEqual([false, true, false, false]);
    write("data/train/file", "x");
    const dataset = { source: join(folder, "work/data"), target: "d", splits: ["train"] };
    // The place and the splits are no content: nothing is uploaded again for them.
    expect((await planOf({ dataset })).dataset?.hash).toBe(before[1]);
    const setup = readFileSync(join(folder, "work/scripts/lambda_setup.sh"), "utf8");
    write("scripts/lambda_setup.sh", `${setup}echo more\n`);
    expect(await changed()).toEqual([true, false, true, false]);
  });

  it("tells the commit, branch and changes of a folder, and has the same code hash at every commit of the same files", async () => {
    const repository = new TestRepository(join(folder, "work"));
    repository.write({ ".gitignore": "outputs/\n" });
    const [unborn, commit] = [(await planOf()).workload, repository.commit()];
    const first = (await planOf()).workload;
    expect(unborn).toMatchObject({ hash: first.hash, commit: undefined, changed: undefined });
    expect(first).toMatchObject({ commit, ref: "main", changed: false });
    repository.commit();
    const { hash, repository: known } = (await planOf()).workload;
    expect(hash).toBe(first.hash);
    expect(known).not.toBe(first.repository);
    // Neither the dataset nor the outputs are code.
    write("data/train/file", "y");
    expect((await planOf()).workload.changed).toBe(false);
    write("code/train.py", "");
    expect((await planOf()).workload.changed).toBe(true);
    repository.git("checkout", "--quiet", "--force", "--detach");
    repository.git("tag", "v2");
    expect((await planOf()).workload).toMatchObject({ ref: "v2", changed: false });
  });

  it("knows an archive by the checksum of the file, which its upload is checked against", async () => {
    const source = join(folder, "data.tar.gz");
    execFileSync("tar", ["-czf", source, "-C", join(folder, "work/data"), "."]);
    const { dataset } = await planOf({ dataset: { source, splits: ["train"] } });
    expect(dataset?.hash).toBe(createHash("sha256").update(readFileSync(source)).digest("hex"));
    writeFileSync(source, lfsPointer);
    await expect(planOf({ dataset: { source } })).rejects.toThrow(/dataset.source is .*: .*is a Git LFS pointer/);
    writeFileSync(source, "x");
    await expect(planOf({ dataset: { source } })).rejects.toThrow("it is neither tar nor zip, or damaged");
  });
});
