import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { configurationOf } from "../../cli/experiments/experiments";

it("npm run experiments shows the values of a configuration as they are written", () => {
  const root = mkdtempSync(join(tmpdir(), "experiments-"));
  mkdirSync(join(root, "configs"));
  mkdirSync(join(root, "home"));
  const own =
    "experiment: a\nworkload: {ref: 61e9540}\ntrain: {maxHours: 2, overrides: {lr: 1.0, seed: 12345678901234567890}}\n";
  writeFileSync(join(root, "configs/a.yaml"), own);
  writeFileSync(join(root, "home/config.yaml"), "mode: 0777\non: true\nmode: 0644\n");
  expect(configurationOf({ experiment: "a", folder: join(root, "home") }, root).configuration).toEqual({
    experiment: "a",
    "workload.ref": "61e9540",
    "train.maxHours": 2,
    "train.overrides.lr": "1.0",
    "train.overrides.seed": "12345678901234567890",
    "workload config: mode": "0644",
    "workload config: on": true,
  });
  rmSync(root, { recursive: true });
});
