import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, expect, it } from "vitest";
import { verifyResults } from "../../remote/transfer/download";
import { nothing, TestCloud } from "../support/cloud";
import { Project } from "../support/project";

const project = new Project();
afterAll(() => project.dispose());

it("the reference workload trains for real, and what it has reached comes home when it is stopped early", {
  timeout: 300_000,
}, async () => {
  project.configure();
  await project.init();
  const cloud = await TestCloud.start(project);
  const up = await project.run("up");
  expect(up.code, up.output).toBe(0);
  expect(up.output).toMatch(/first step: .* step 1 epoch 1 loss \d/);

  const deadline = Date.now() + 120_000;
  let log = "";
  while (!/epoch 3\/\d+ .*\(best\)/.test(log)) {
    if (Date.now() > deadline) throw new Error(`No third epoch: ${log}`);
    await sleep(2000);
    log = (await project.run("logs", ["--no-follow"])).output;
  }
  const down = await project.run("down", ["--keep-cloud"]);
  expect(down.code, down.output).toBe(0);
  expect(await cloud.inventory()).toEqual(nothing);

  const results = join(project.folder, "results", "test", "lambda-run-v1");
  expect(await verifyResults(results)).toMatchObject({ ok: true });
  for (const path of [
    "checkpoints/best_model.pt",
    "checkpoints/last.pt",
    "logs/train.log",
    "run/train.log",
    "metrics/history.json",
  ]) {
    expect(existsSync(join(results, path)), path).toBe(true);
  }
  const evaluation = JSON.parse(readFileSync(join(results, "metrics", "evaluation.json"), "utf8"));
  expect(evaluation.token_error_rate).toBeLessThan(evaluation.chance.token_error_rate);
  expect(readFileSync(join(results, "run", "train.log"), "utf8")).toMatch(/stopping \(destroy\)/);
});
