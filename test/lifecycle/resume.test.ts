import { globSync, readdirSync, readFileSync, statSync, truncateSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { verifyResults } from "../../remote/transfer/download";
import { recordHead } from "../../remote/transfer/results-file";
import { nothing, type TestCloud } from "../support/cloud";
import { Project } from "../support/project";
import { configureTiny, startTinyStack, type TinyChanges } from "../support/tiny";

interface Saved {
  readonly step: number;
  readonly weight: number;
  /** Steps at which its attempts began. */
  readonly started_at: number[];
}

const steps = 40;

/** Through the real commands: a run goes on from its last good checkpoint, wherever that is, and ends as one that was never interrupted. */
describe("a run that resumes", { timeout: 300_000 }, () => {
  const project = new Project();
  let cloud: TestCloud;
  /** Of a run that nothing interrupted. */
  let uninterrupted: Saved;

  const configure = (experiment: string, changes: TinyChanges = {}): void =>
    configureTiny(project, {
      experiment,
      ...changes,
      train: { resume: "auto", ...changes.train },
      overrides: { seconds_per_step: 0.25, steps, ...changes.overrides },
    });
  const home = (experiment: string, path = ""): string => join(project.folder, "results/test", experiment, path);
  const saved = (experiment: string): Saved =>
    JSON.parse(readFileSync(home(experiment, "checkpoints/last.json"), "utf8")) as Saved;
  const onInstance = async (command: string): Promise<string> => (await project.run("ssh", [command])).output;
  const run = async (): Promise<Record<string, unknown>> =>
    (JSON.parse((await project.run("status", ["--json"])).output) as { run: Record<string, unknown> }).run;
  /** Waits until training has logged a step. */
  const until = (step: number): Promise<unknown> =>
    expect
      .poll(() => onInstance("tail -n 40 .lambda-train/runs/*/train.log"), { timeout: 60_000, interval: 300 })
      .toContain(`step ${step} `);
  /** Ends the instance behind everybody's back. */
  const lose = async (): Promise<void> => {
    const [id = ""] = (await cloud.inventory()).instances;
    await cloud.admin.terminate(id);
  };
  /** Lets the run end, and brings it home. */
  const finish = async (experiment: string): Promise<void> => {
    await project.succeeds("wait", ["--quiet"]);
    await project.succeeds("down", ["--keep-cloud"]);
    expect((await verifyResults(home(experiment))).ok).toBe(true);
  };
  /** That it ended as one that nothing interrupted, and has trained no step twice but those after a checkpoint. */
  const expectGone = (experiment: string, begun: number[]): void => {
    const { step, weight, started_at: startedAt } = saved(experiment);
    expect({ step, weight }).toEqual({ step: uninterrupted.step, weight: uninterrupted.weight });
    expect(startedAt).toEqual(begun);
    const metrics = (name: string): string => readFileSync(home(name, "metrics/evaluation.json"), "utf8");
    expect(metrics(experiment)).toBe(metrics("whole"));
    const log = readFileSync(home(experiment, "run/train.log"), "utf8");
    for (let each = 1; each <= steps; each++) expect(log).toContain(`step ${each} loss`);
    expect(recordHead(home(experiment))?.run?.attempts.map(({ number }) => number)).toEqual(
      begun.map((_, at) => at + 1),
    );
  };

  beforeAll(async () => {
    cloud = await startTinyStack(project);
    // Every step counts to the last digit.
    project.write("tiny/train.py", slowly(project.read("tiny/train.py")));
    configure("whole", { overrides: { seconds_per_step: 0 } });
    await project.succeeds("up");
    await finish("whole");
    uninterrupted = saved("whole");
  }, 120_000);
  afterEach(async () => {
    // After a test that failed.
    if ((await cloud.inventory()).sshKeys.length > 0)
      await project.succeeds("down", ["--keep-cloud", "--lose-results"]);
    // A file system outlives its stack.
    expect({ ...(await cloud.inventory()), fileSystems: [] }).toEqual(nothing);
  });
  afterAll(() => project.dispose());

  it("goes on after down and up, on another instance, and everything at home is one run", async () => {
    configure("gone");
    await project.succeeds("up");
    await until(7);
    await project.succeeds("down", ["--keep-cloud"]);
    const { step } = saved("gone");
    const written = Math.floor(statSync(home("gone", "checkpoints/last.json")).mtimeMs);
    const output = await project.succeeds("up");
    expect(output).toMatch(/gone goes on as attempt 2: put back \d+ files, \S+ MB from \S+results\/test\/gone/);
    expect(await onInstance("stat -c %Y tiny/outputs/gone/checkpoints/best_model.pt")).toMatch(/^\d+/);
    expect(await run()).toMatchObject({ attempt: 2 });
    expect(await project.succeeds("status")).toMatch(/^resumed +from \S+\/outputs\/gone\/checkpoints\//m);
    await finish("gone");
    expectGone("gone", [0, step]);
    expect(Math.floor(statSync(home("gone", "checkpoints/last.json")).mtimeMs)).toBeGreaterThan(written);
    expect(readdirSync(home("")).filter((name) => name.startsWith("gone"))).toEqual(["gone"]);
    expect((await project.succeeds("experiments")).match(/^test +gone\b.*$/gm)).toEqual([
      expect.stringContaining(` step ${steps} `),
    ]);
  });

  it("goes on after its process was killed, from the checkpoint on the machine", async () => {
    configure("killed");
    await project.succeeds("up");
    await until(7);
    await onInstance("pkill -9 -f '[t]rain.py .* killed'");
    await expect.poll(run, { timeout: 20_000 }).toMatchObject({
      state: "failed",
      resumesFrom: expect.stringContaining("/outputs/killed/checkpoints/"),
    });
    expect((await project.run("status")).output).toMatch(/^resumes +from \S+\/outputs\/killed\/checkpoints\//m);
    const output = await project.succeeds("up", ["--refresh"]);
    expect(output).not.toContain("put back");
    await finish("killed");
    const [, from = 0] = saved("killed").started_at;
    expect(from % 5).toBe(0);
    expectGone("killed", [0, from]);
  });

  it("goes on after its instance was lost, on another type, from what watch had downloaded", async () => {
    configure("lost", { checkpoints: { sync: "home", everyMinutes: 0.02 } });
    await project.succeeds("up");
    await until(7);
    expect((await project.run("watch")).output).toMatch(/Downloaded a new checkpoint: \d+ files/);
    await until(12);
    const watch = project.start(process.execPath, ["dist/cli/results.js", "--watch", "1"]);
    await expect.poll(() => saved("lost").step, { timeout: 20_000 }).toBeGreaterThan(5);
    await lose();
    watch.child.kill("SIGTERM");
    await watch.ended;
    expect((await project.run("status")).output).toMatch(/^next +npm run up.* launches another and resumes/m);
    const { step } = saved("lost");
    configure("lost", { stack: { instanceTypes: ["gpu_1x_a10"] } });
    expect(await project.succeeds("up")).toContain("lost goes on as attempt 2");
    await finish("lost");
    expectGone("lost", [0, step]);
  });

  it("begins anew after it had finished, or with other settings, and says so", async () => {
    const quick = { seconds_per_step: 0.05, steps: 12 };
    configure("ended", { overrides: quick });
    await project.succeeds("up");
    await finish("ended");
    expect(await project.succeeds("up")).toMatch(/Nothing is resumed from \S+: ended had finished\. ended begins anew/);
    await project.succeeds("wait", ["--quiet"]);
    await project.succeeds("down", ["--keep-cloud"]);
    expect(saved("ended").started_at).toEqual([0]);
    configure("ended", { overrides: { ...quick, steps: 13 } });
    expect(await project.succeeds("up")).toMatch(/Nothing is resumed from \S+: they are of other settings/);
    await finish("ended");
    expect(saved("ended")).toMatchObject({ step: 13, started_at: [0] });
  });

  it("goes on on another instance from a copy on the file system, of which only whole ones count", async () => {
    const stack = { fileSystem: "kept", createFileSystem: true };
    const copies = "/lambda/nfs/kept/lambda-train/checkpoints/test/copied";
    configure("copied", { stack, checkpoints: { sync: "fileSystem", everyMinutes: 0.02, keep: 2 } });
    await project.succeeds("up");
    await until(17);
    const said = await onInstance(`ls ${copies}`);
    expect(said.trim().split("\n").length).toBeLessThanOrEqual(2);
    await lose();
    const [folder = ""] = globSync(".local/**/lambda-train/checkpoints/test/copied", { cwd: project.folder });
    const [before = "", newest = ""] = readdirSync(join(project.folder, folder)).sort();
    const last = (name: string): string =>
      join(project.folder, folder, name, "workspace/outputs/copied/checkpoints/last.json");
    const { step } = JSON.parse(readFileSync(last(before), "utf8")) as Saved;
    truncateSync(last(newest), 10);
    const output = await project.succeeds("up");
    expect(output).toContain(
      `Passed over a copy in ${copies}: ${newest}: workspace/outputs/copied/checkpoints/last.json is`,
    );
    expect(output).toMatch(/copied goes on as attempt 2: put back \S+ \(\d+ files, \S+ MB\) from \/lambda\/nfs\/kept/);
    await finish("copied");
    expectGone("copied", [0, step]);
  });

  /** Keeps its state in files with numbers, and fails where the newest can't be read. */
  const withNumbers = (): void => {
    const changed = project
      .read("tiny/train.py")
      .replace("import json\n", "import json\nimport zipfile\n")
      .replace(/^state = json.loads.*$/m, (line) => `${line}\n${loadsNewest}`)
      .replace('        save("last.json")\n        save("best', '        keep()\n        save("best')
      .replace("def stop(", `${keeps}\ndef stop(`);
    project.write("tiny/train.py", changed);
  };

  it("passes over a checkpoint that is damaged on the machine, and says so", async () => {
    withNumbers();
    configure("damaged", { train: { checkpoint: "checkpoints/step_*.pt" } });
    await project.succeeds("up");
    await until(16);
    await onInstance("pkill -9 -f '[t]rain.py .* damaged'");
    await expect.poll(run, { timeout: 20_000 }).toMatchObject({ state: "failed" });
    const { before, last } = newestOf((await onInstance("ls tiny/outputs/damaged/checkpoints")).split("\n"));
    const newest = `tiny/outputs/damaged/checkpoints/step_${last}.pt`;
    await onInstance(`truncate -s 300 ${newest}`);
    await project.succeeds("up", ["--refresh"]);
    expect(await onInstance(`ls ${newest}.damaged`)).toBe(`${newest}.damaged\n`);
    const log = await project.succeeds("logs", ["--no-follow"]);
    expect(log).toContain(`/step_${last}.pt: its end is missing. It is now step_${last}.pt.damaged.`);
    expect(log).toMatch(new RegExp(`attempt 2, started .*newest checkpoint \\S+/step_${before}\\.pt`));
    expect(await project.succeeds("status")).toContain(`a damaged checkpoint was passed over: step_${last}.pt`);
    await finish("damaged");
    expectGone("damaged", [0, before]);
  });

  it("passes over a checkpoint that is damaged at home, and says so", async () => {
    configure("rotten");
    await project.succeeds("up");
    await until(22);
    await project.succeeds("stop");
    await project.succeeds("down", ["--keep-cloud"]);
    const { before, last } = newestOf(readdirSync(home("rotten", "checkpoints")));
    const newest = home("rotten", `checkpoints/step_${last}.pt`);
    const { mtime, size } = statSync(newest);
    writeFileSync(newest, Buffer.alloc(size, 7));
    utimesSync(newest, mtime, mtime);
    const output = await project.succeeds("up");
    expect(output).toMatch(new RegExp(`Passed over, .* \\(SHA-256\\): "checkpoints/step_${last}\\.pt"`));
    expect(output).toContain("rotten goes on as attempt 2");
    await finish("rotten");
    expectGone("rotten", [0, before]);
  });
});

/** Of checkpoints with numbers, the newest and the one before it. */
function newestOf(names: readonly string[]): { readonly before: number; readonly last: number } {
  const numbers = names.flatMap((name) => (/^step_(\d+)\.pt$/.exec(name) ?? []).slice(1).map(Number));
  const [before = 0, last = 0] = numbers.sort((one, other) => one - other).slice(-2);
  return { before, last };
}

function slowly(train: string): string {
  return train.replace("0.02 * gradient", "0.0005 * gradient");
}

const keeps = `def keep():
    path = out / "checkpoints" / f"step_{state['step']}.pt"
    with zipfile.ZipFile(path.with_suffix(".tmp"), "w") as archive:
        archive.writestr("state", json.dumps(state))
        archive.writestr("padding", "x" * 1000)
    path.with_suffix(".tmp").rename(path)

`;
const loadsNewest = `state["step"], state["weight"], state["started_at"] = 0, 0.0, []
for path in sorted((out / "checkpoints").glob("step_*.pt"), key=lambda path: int(path.stem[5:]))[-1:]:
    state = json.loads(zipfile.ZipFile(path).read("state"))`;
