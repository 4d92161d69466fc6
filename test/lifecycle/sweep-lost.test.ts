import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { verifyResults } from "../../remote/transfer/download";
import { nothing, type TestCloud } from "../support/cloud";
import { Project } from "../support/project";
import { startTinyStack } from "../support/tiny";
import { type ToldTrial, trialsOf } from "../support/trials";

const steps = Array.from({ length: 12 }, (_, at) => 30 + 5 * at);

/** Instances end in the middle of a sweep: a worker's, and later that of the study. Each test goes on from the one before. */
describe("a sweep of 12 trials on 3 machines, of which two are lost", { timeout: 400_000 }, () => {
  const project = new Project();
  const results = join(project.folder, "results", "test");
  let cloud: TestCloud;
  const lost: ToldTrial[] = [];

  /** Ends the instance of a machine behind the stack's back, and gives the trials that it had not brought home. */
  async function lose(machine: string): Promise<void> {
    const { instanceId } = (await project.outputs()) as { instanceId: Record<string, string> };
    const before = await trialsOf(project);
    await cloud.admin.terminate(instanceId[machine] ?? "");
    lost.push(...before.filter((trial) => trial.machine === machine));
  }

  async function untilComplete(count: number): Promise<void> {
    const complete = async (): Promise<number> =>
      (await trialsOf(project)).filter(({ state }) => state === "complete").length;
    while ((await complete()) < count) await sleep(1000);
  }

  beforeAll(async () => {
    cloud = await startTinyStack(project, {
      experiment: "swept",
      overrides: { seconds_per_step: 0.15 },
      sweep: { grid: { steps }, metric: "error" },
      stack: { instances: 3 },
    });
    await project.succeeds("up");
  }, 240_000);
  afterAll(() => project.dispose());

  it("goes on with the others, and gives a lost worker's trials out again", async () => {
    await untilComplete(3);
    await project.succeeds("results");
    await lose("machine-2");
    await project.succeeds("up");
    expect((await cloud.inventory()).instances).toHaveLength(3);
    await untilComplete(5);
  });

  it("goes on where the study's machine is lost, which another one takes over with all that was known", async () => {
    await project.succeeds("results");
    await lose("machine");
    const output = await project.succeeds("up");
    expect(output).toContain("swept: the study is on machine now, with all that was known of it");
    await project.succeeds("wait");
  });

  it("ends with a verified result of each, its metric right, none trained twice but what was lost", async () => {
    await project.succeeds("results");
    const trials = await trialsOf(project);
    expect(trials.map(({ params }) => params.steps)).toEqual(steps);
    for (const { number, state, value, attempt, params } of trials) {
      const folder = join(results, `swept-t${number}`);
      expect([number, state, await verifyResults(folder)]).toMatchObject([number, "complete", { ok: true }]);
      const { error, step } = JSON.parse(readFileSync(join(folder, "metrics/evaluation.json"), "utf8"));
      expect([step, error]).toEqual([params.steps, value]);
      const times = lost.filter((each) => each.number === number).length;
      expect([number, attempt <= 1 + times]).toEqual([number, true]);
    }
    const values = trials.map(({ value }) => value);
    expect(values).toEqual(values.toSorted((a, b) => b - a));
    await project.succeeds("down", ["--keep-cloud"]);
    expect(await cloud.inventory()).toEqual(nothing);
  });
});
