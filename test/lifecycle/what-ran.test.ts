import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { recordHead } from "../../remote/transfer/results-file";
import { nothing, type TestCloud } from "../support/cloud";
import { Project } from "../support/project";
import { configureTiny, startTinyStack } from "../support/tiny";

/** Through the real commands: what is told of a run is told of that run, whatever the files here say by then. */
describe("what ran", { timeout: 240_000 }, () => {
  const project = new Project();
  let cloud: TestCloud;
  const quick = { steps: 6, seconds_per_step: 0 };

  beforeAll(async () => {
    cloud = await startTinyStack(project);
  });
  afterAll(() => project.dispose());

  const home = (experiment: string): string => join(project.folder, "results/test", experiment);
  const report = async () =>
    JSON.parse((await project.run("status", ["--json"])).output) as {
      results: string | null;
      resultsLack?: string;
      metrics: Record<string, number>;
    };

  it("is in the results' record, and a long evaluation's scores are in every place that shows them", async () => {
    const evaluate = project
      .read("tiny/evaluate.py")
      .replace('"history": [1, 2, 3]', '"history": [{"id": "x" * 90}] * 14000');
    project.write("tiny/evaluate.py", evaluate);
    configureTiny(project, { overrides: quick, environment: { variables: { WANDB_API_KEY: "hush-hush" } } });
    await project.succeeds("up");
    await project.succeeds("wait", ["--quiet"]);
    await project.succeeds("up", ["--refresh"]);
    expect(await report()).toMatchObject({ results: null, metrics: { error: expect.any(Number) } });
    const { metrics } = await project.outputs();
    expect(metrics).toMatchObject({ "metrics/evaluation.json": { error: expect.any(Number) } });
    expect(JSON.stringify(metrics).length).toBeLessThan(1000);
    await project.succeeds("results");
    const ran = recordHead(home("tiny-v1"))?.run;
    expect(ran).toMatchObject({
      workload: { source: "tiny", hash: expect.any(String) },
      dataset: { source: expect.stringContaining("tiny-data") },
      config: {
        base: "configs/lambda.yaml",
        overrides: expect.stringContaining('"steps"'),
        text: expect.stringMatching(/^steps: 6$/m),
      },
      command: "make train CONFIG=.lambda-train/tiny-v1.yaml EXPERIMENT=tiny-v1",
      instance: { type: "cpu_4x_general", region: "us-east-1" },
      attempts: [{ number: 1, exitCode: 0, evaluation: 0 }],
    });
    expect(JSON.stringify(ran)).not.toContain("hush-hush");
    const told = await report();
    expect(told.results).toBe(home("tiny-v1"));
    expect(told.resultsLack).toBeUndefined();
  });

  it("up again changes nothing", async () => {
    expect(await project.succeeds("up")).toMatch(/\d+ unchanged/);
  });

  it("is not the run whose results are home, where that starts again with other settings", async () => {
    configureTiny(project, { overrides: { ...quick, steps: 100_000, seconds_per_step: 0.2 } });
    await project.succeeds("up");
    expect(await report()).toMatchObject({ results: null, metrics: {} });
    await project.succeeds("results");
    expect((await report()).results).toBe(home("tiny-v1"));
    await project.succeeds("stop");
    expect(await report()).toMatchObject({ resultsLack: expect.stringContaining("before training ended") });
    expect((await project.run("status")).output).toMatch(/before training ended: .*npm run results/);
  });

  it("is what experiments compares, though the repository has changed", async () => {
    configureTiny(project, { experiment: "tiny-v2", overrides: { ...quick, steps: 9 } });
    await project.succeeds("up");
    await project.succeeds("wait", ["--quiet"]);
    await project.succeeds("down", ["--keep-cloud"]);
    expect(await cloud.inventory()).toEqual(nothing);
    writeFileSync(join(project.folder, "tiny/configs/lambda.yaml"), "steps: 1\n");
    configureTiny(project, { experiment: "tiny-v2", overrides: { steps: 12 } });
    const output = await project.succeeds("experiments", ["tiny-v1", "tiny-v2"]);
    expect(output).toMatch(/config: steps +(100000 +9|9 +100000)/);
    expect(output).toMatch(/train\.overrides\.seconds_per_step +(0\.2 +0|0 +0\.2)/);
    expect(output).not.toMatch(/train\.command|instance|No record/);
  });
});
