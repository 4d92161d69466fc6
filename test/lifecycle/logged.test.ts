import { cpSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { projectFolder } from "../../local/paths";
import { TestCloud } from "../support/cloud";
import { Project } from "../support/project";
import { configureTiny, type TinyChanges, useTinyWorkload } from "../support/tiny";
import { trialsOf } from "../support/trials";

/** Its log tells a loss alone: the score is in TensorBoard's files. */
const logging = (to: "outputs" | "beside", steps: number, more: object = {}): NonNullable<TinyChanges["train"]> => ({
  overrides: { log_to: to, steps, seconds_per_step: 0.03, penalty: 0 },
  ...more,
});

describe("what training writes for TensorBoard and W&B alone", { timeout: 240_000 }, () => {
  const project = new Project();

  beforeAll(async () => {
    const changes = {
      experiment: "swept",
      train: logging("outputs", 250),
      sweep: { grid: { penalty: [0, 5] }, metric: "eval/score", prune: { by: "median", startupTrials: 1 } },
    };
    useTinyWorkload(project, changes);
    const fixtures = join(projectFolder(), "test/fixtures");
    cpSync(join(fixtures, "logged"), join(project.folder, "tiny"), { recursive: true });
    cpSync(join(fixtures, "curves/wandb"), join(project.folder, "tiny/recorded"), { recursive: true });
    await project.init();
    await TestCloud.start(project);
    await project.succeeds("up");
  }, 240_000);
  afterAll(() => project.dispose());

  it("is what a sweep compares and prunes by", async () => {
    await project.succeeds("wait");
    const trials = await trialsOf(project);
    expect(trials.map(({ state }) => state)).toEqual(["complete", "pruned"]);
    expect(trials[0]?.value).toBeLessThan(0.1);
    expect(trials[1]?.value).toBeGreaterThan(5);
  });

  it("is what status shows and experiments draw, from beside the outputs too", async () => {
    configureTiny(project, {
      experiment: "curved",
      train: logging("beside", 60, { waitFor: "end" }),
    });
    await project.succeeds("up");
    const status = JSON.parse((await project.run("status", ["--json"])).output);
    expect(status.progress).toMatchObject({ at: 60, values: { "eval/score": expect.closeTo(0, 1) } });

    const sync = "wandb sync results/test/curved/beside/wandb/offline-run-20261130_010000-abcd1234";
    expect(await project.succeeds("results", ["--run", "curved"])).toContain(sync);
    expect(await project.succeeds("down", ["--keep-cloud"])).toContain(sync);
    const { experiments, curves } = JSON.parse(
      await project.succeeds("experiments", ["curved", "swept-t1", "--metric", "eval/score", "--json"]),
    );
    expect(experiments).toHaveLength(2);
    const [curved, pruned] = curves;
    expect([curved.points.length, curved.points.at(-1)[0]]).toEqual([60, 60]);
    expect(pruned.points.length).toBeLessThan(250);
  });
});
