import { readdirSync, readFileSync, statSync } from "node:fs";
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
    configure("whole", { overrides: { seconds_per_step: 0 } });
    await project.succeeds("up");
    await finish("whole");
    uninterrupted = saved("whole");
  }, 120_000);
  afterEach(async () => {
    expect(await cloud.inventory()).toEqual(nothing);
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
    expect(await project.succeeds("logs", ["--no-follow"])).toMatch(
      /attempt 2, started \S+, resumes from \S+last\.json/,
    );
    await finish("gone");
    expectGone("gone", [0, step]);
    expect(Math.floor(statSync(home("gone", "checkpoints/last.json")).mtimeMs)).toBeGreaterThan(written);
    expect(readdirSync(home("")).filter((name) => name.startsWith("gone"))).toEqual(["gone"]);
    const listed = JSON.parse(await project.succeeds("experiments", ["--json"])) as { experiment: string }[];
    expect(listed.filter(({ experiment }) => experiment.startsWith("gone"))).toHaveLength(1);
  });

  it("goes on after its process was killed, from the checkpoint on the machine", async () => {
    configure("killed");
    await project.succeeds("up");
    await until(7);
    await onInstance("pkill -9 -f '[t]rain.py .* killed'");
    expect(await run()).toMatchObject({ state: "failed", resumesFrom: expect.stringMatching(/last\.json$/) });
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
    const watch = project.start(process.execPath, ["dist/cli/results.js", "--watch", "1"]);
    await until(12);
    await expect.poll(() => saved("lost").step, { timeout: 20_000 }).toBeGreaterThan(5);
    const [id = ""] = (await cloud.inventory()).instances;
    await cloud.admin.terminate(id);
    watch.child.kill("SIGTERM");
    await watch.ended;
    const { step } = saved("lost");
    configure("lost", { stack: { instanceTypes: ["gpu_1x_a10"] } });
    expect(await project.succeeds("up")).toContain("lost goes on as attempt 2");
    await finish("lost");
    expectGone("lost", [0, step]);
  });
});
