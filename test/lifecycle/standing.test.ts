import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { verifyResults } from "../../remote/transfer/download";
import { Project } from "../support/project";
import { configureTiny, startTinyStack, type TinyChanges } from "../support/tiny";

type Run = { state: string; attempt?: number; stopReason?: string };

/** A run that goes on is left alone, with all that it stands on; each test goes on from where the one before ended. */
describe("a run that goes on", { timeout: 180_000 }, () => {
  const project = new Project();
  const endless = { steps: 100_000, seconds_per_step: 0.2 };
  let changes: TinyChanges = { overrides: endless };

  const up = (...args: string[]): Promise<string> => project.succeeds("up", args);
  const onInstance = (command: string): Promise<string> => project.succeeds("ssh", [command]);
  const run = async (): Promise<Run> => JSON.parse(await project.succeeds("status", ["--json"])).run;
  const homeJson = (path: string, experiment = "tiny-v1"): Record<string, unknown> =>
    JSON.parse(readFileSync(join(project.folder, "results", "test", experiment, path), "utf8"));
  const configure = (more: TinyChanges): void => {
    changes = { ...changes, ...more };
    configureTiny(project, changes);
  };
  /** Every file that the run stands on with hash and time, what was set up, and which process trains since when. */
  const standing = (): Promise<string> =>
    onInstance(
      "find tiny setups .lambda-train/env.sh .lambda-train/steps/*/hash -path tiny/outputs -prune -o -type f " +
        "-printf '%T@ ' -exec sha256sum {} \\;; ps -o pid=,lstart= -p $(pgrep -f [t]rain.py)",
    );

  beforeAll(async () => {
    await startTinyStack(project, changes);
    expect(await project.run("stop")).toMatchObject({ code: 3, output: expect.stringContaining("`npm run up`") });
    const evaluation = project.read("tiny/evaluate.py");
    project.write("tiny/evaluate.py", evaluation.replace('"error": error', '"error": error, "examples": len(data)'));
    await up();
  });
  afterAll(() => project.dispose());

  it.each<[string, () => void, string]>([
    [
      "dataset, code and setup script",
      () => {
        project.write("tiny-data/test/more.jsonl", "[30, 90]\n");
        project.write("tiny/train.py", `${project.read("tiny/train.py")}# mended\n`);
        project.write("tiny/scripts/lambda_setup.sh", "echo another >> ~/setups\n", 0o755);
      },
      "wait: the code, the dataset, the environment.",
    ],
    [
      "the configuration",
      () => configure({ overrides: { ...endless, seconds_per_step: 0.1 } }),
      "wait: the configuration, the dataset, the environment.",
    ],
    [
      "the experiment's name",
      () => configure({ stack: { experimentName: "tiny-v2" } }),
      "wait: the experiment's name (tiny-v1, now tiny-v2), the dataset, the environment.",
    ],
  ])("is left alone where %s changes, and up says what waits", async (_name, change, words) => {
    const before = await standing();
    change();
    const output = await up();
    expect(output).toContain(`tiny-v1 is running, so these changes ${words}`);
    expect(output).toContain("npm run up -- --restart");
    expect(await standing()).toBe(before);
    expect(await run()).toMatchObject({ state: "running", attempt: 1 });
  });

  it("is watched by the commands as it is, and a later up says again what waits", async () => {
    expect(await project.succeeds("status")).toMatch(/waits +the experiment's name/);
    expect(await project.succeeds("results")).toContain("results/test/tiny-v1");
    const before = await standing();
    expect(await up()).toContain("so these changes wait");
    expect(await standing()).toBe(before);
    expect((await project.outputs()).experiment).toBe("tiny-v1");
  });

  it("takes changed limits over all the same", async () => {
    configure({ train: { maxHours: 2 } });
    const before = await standing();
    await up();
    expect(await standing()).toBe(before);
    expect(await onInstance("cat .lambda-train/runs/tiny-v1/state.json")).toContain('"maxSeconds": 7200');
  });

  it("makes way when it has ended: the next up evaluates it on its own data, then takes over all that waited", async () => {
    expect(await project.succeeds("stop")).toMatch(/tiny-v1: stopped \(exit status \d+, user\)/);
    await up();
    expect(homeJson("metrics/evaluation.json")).toMatchObject({ examples: 5 });
    expect(await verifyResults(join(project.folder, "results/test/tiny-v1"))).toMatchObject({ ok: true });
    expect(await onInstance("ls tiny/data/test; tail -n 1 setups; tail -n 1 tiny/train.py")).toBe(
      "more.jsonl\nünï.jsonl\nanother\n# mended\n",
    );
    expect((await project.outputs()).experiment).toBe("tiny-v2");
    expect(await run()).toMatchObject({ state: "running", attempt: 1 });
  });

  it("is stopped by --restart, with its results at home, and starts again with the change", async () => {
    project.write("tiny-data/test/third.jsonl", "[40, 120]\n");
    await up("--restart");
    expect(homeJson("metrics/evaluation.json", "tiny-v2")).toMatchObject({ examples: 6 });
    // Those metrics are the earlier attempt's.
    expect((await project.outputs()).metrics).toEqual({});
    expect(await onInstance("ls tiny/data/test | wc -l")).toBe("3\n");
    expect(await run()).toMatchObject({ state: "running", attempt: 2 });
    const { step } = homeJson("checkpoints/last.json", "tiny-v2") as { step: number };
    expect(await onInstance("tail -n 1 starts")).toBe(`${step}\n`);
  });

  it("is stopped and starts again where train.onChange is restart", async () => {
    configure({ train: { onChange: "restart" }, overrides: { ...endless, seconds_per_step: 0.3 } });
    await up();
    expect(await run()).toMatchObject({ state: "running", attempt: 3 });
    expect(await onInstance("cat tiny/.lambda-train/tiny-v2.yaml")).toContain("seconds_per_step: 0.3");
  });

  it("is not stopped where home cannot take its results", async () => {
    project.write("tiny-data/test/fourth.jsonl", "[50, 150]\n");
    const before = await standing();
    configure({ train: { onChange: "restart" } });
    const elsewhere = { ...changes, stack: { ...changes.stack } };
    project.write("blocked", "a file where the folder should be");
    configureTiny(project, { ...elsewhere, results: { directory: "blocked" } });
    expect(await project.fails("up")).toContain("Couldn't download the results of tiny-v2, so the run keeps running.");
    expect(await standing()).toBe(before);
    configureTiny(project, changes);
  });

  it("that was stopped starts again with the next up, where nothing has changed too", async () => {
    configure({ train: {} });
    project.write("tiny-data/test/fourth.jsonl", "[50, 150]\n");
    await up("--restart");
    const output = await project.succeeds("stop");
    expect(output).toMatch(/Instance \S+ keeps billing/);
    expect(await run()).toMatchObject({ state: "stopped", attempt: 4, stopReason: "user" });
    expect(await project.succeeds("stop")).toContain("tiny-v2: stopped");
    expect(await up()).toContain("tiny-v2 was stopped (user); it starts again");
    expect(await run()).toMatchObject({ state: "running", attempt: 5 });
    const { code, output: again } = await project.pulumi(["preview", "--expect-no-changes"]);
    expect(code, again).toBe(0);
  });

  it("of a state without a kept plan is left alone by an unchanged up, and a changed one refuses", async () => {
    const forget = async (): Promise<void> => {
      const found = (await project.resources()).filter(({ type }) => type.endsWith(":Standing")).reverse();
      expect(found).toHaveLength(2);
      for (const { urn } of found) await project.pulumi(["state", "delete", urn, "--yes"]);
    };
    await forget();
    const before = await standing();
    await up();
    expect(await standing()).toBe(before);
    await forget();
    project.write("tiny-data/test/fifth.jsonl", "[60, 180]\n");
    const refused = await project.fails("up");
    expect(refused).toContain("tiny-v2 still runs on instance");
    expect(refused).toContain("the dataset would change under it");
    expect(refused).toContain("npm run stop");
    expect(refused).not.toMatch(/\n\s+at .*\.js/);
    expect(await standing()).toBe(before);
    await project.succeeds("stop");
    await up();
    expect(await onInstance("ls tiny/data/test | wc -l")).toBe("5\n");
    expect(await run()).toMatchObject({ state: "running", attempt: 6 });
  });

  it("has its results at home when it has ended and another configuration starts in its folder", async () => {
    configure({ stack: { experimentName: "tiny-v3" }, overrides: { steps: 20, seconds_per_step: 0.01 } });
    await up("--restart");
    expect(await project.succeeds("wait")).toContain("tiny-v3: finished");
    configure({ overrides: { ...endless } });
    const output = await up();
    expect(output.indexOf("verified in")).toBeGreaterThan(0);
    expect(output.indexOf("verified in")).toBeLessThan(output.indexOf("first step:"));
    expect(homeJson("checkpoints/last.json", "tiny-v3")).toMatchObject({ step: 20 });
    expect(await run()).toMatchObject({ state: "running", attempt: 2 });
    expect(output).toContain("tiny-v3 had finished, and its configuration is another: it starts with empty outputs");
    expect(await onInstance("tail -n 1 starts")).toBe("0\n");
  });

  it("goes on from what another configuration has reached where up is told to restart", async () => {
    const reached = async (): Promise<number> => {
      const saved = await onInstance("cat tiny/outputs/tiny-v3/checkpoints/last.json || echo '{}'");
      return (JSON.parse(saved) as { step?: number }).step ?? 0;
    };
    // The next configuration has nothing left to do, so that what it starts from is what it ends with.
    await expect.poll(reached, { timeout: 30_000 }).toBeGreaterThanOrEqual(25);
    configure({ overrides: { steps: 25, seconds_per_step: 0.01 } });
    await up("--restart");
    expect(await project.succeeds("wait")).toContain("tiny-v3: finished");
    const { step } = homeJson("checkpoints/last.json", "tiny-v3") as { step: number };
    configure({ overrides: { ...endless } });
    await up("--restart");
    expect(step).toBeGreaterThanOrEqual(25);
    expect(await onInstance("tail -n 1 starts")).toBe(`${step}\n`);
  });

  it("shows a change in a preview, without the cloud", async () => {
    project.write("tiny-data/test/sixth.jsonl", "[70, 210]\n");
    await project.run("cloud", ["stop"]);
    const { code, output } = await project.pulumi(["preview"]);
    expect(code, output).toBe(0);
    expect(output).toMatch(/dataset-upload +update/);
    // Nothing is known of a run that cannot be reached.
    expect((await project.run("stop")).code).toBe(4);
  });
});
