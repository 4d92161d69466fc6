import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { courseAtHome } from "../../../cli/curves/at-home";
import { curveNamed } from "../../../cli/curves/choose";
import { placeText } from "../../../cli/status/text";

/** What `npm run experiments` reads out of results that are large. */
describe("an experiment's course", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "lambda-train-series-"));
    mkdirSync(join(folder, "run"));
  });
  afterEach(() => rmSync(folder, { recursive: true }));
  const log = (): string => join(folder, "run/train.log");
  const points = (metric = "loss"): [number, number][] => {
    const curve = curveNamed(courseAtHome(folder, { wanted: [metric] }), metric);
    return curve?.xs.map((x, at) => [x, curve.ys[at] ?? Number.NaN]) ?? [];
  };

  it("is read from a log that is longer than any text can be", () => {
    writeFileSync(log(), "epoch 6 loss 0.75\n");
    truncateSync(log(), 600 * 1024 ** 2);
    writeFileSync(log(), "\nepoch 7 loss 0.5\r\nepoch 8 loss 0.25\rwithout a count", { flag: "a" });
    expect(points()).toEqual([
      [6, 0.75],
      [7, 0.5],
      [8, 0.25],
    ]);
  });

  it("is told by the last count of the log", () => {
    writeFileSync(log(), "epoch 7 loss 0.5\r\nepoch 8 loss 0.25\rwithout a count");
    const { progress } = courseAtHome(folder);
    expect(progress).toMatchObject({ epoch: 8, values: { loss: 0.25 } });
    expect(progress && placeText(progress)).toBe("epoch 8");
  });

  it("is the history's, however many files of a sample each lie below", () => {
    mkdirSync(join(folder, "a/predictions"), { recursive: true });
    for (let i = 0; i < 2000; i++) writeFileSync(join(folder, `a/predictions/${i}.json`), '[{"loss": 1}, {"loss": 2}]');
    writeFileSync(join(folder, "z.json"), '[{"epoch": 3, "loss": 0.5}, {"epoch": 4, "loss": 0.25}]');
    expect(points()).toEqual([
      [3, 0.5],
      [4, 0.25],
    ]);
  });

  it("is that of a metric by any of its names", () => {
    writeFileSync(
      log(),
      "step 1 train_loss 4 Top-1 50 reward_per_token: 0.5\nstep 2 train_loss 3 Top-1 75 reward_per_token: 0.75\n",
    );
    expect(points()).toEqual([
      [1, 4],
      [2, 3],
    ]);
    expect(points("reward_per_token")).toEqual([
      [1, 0.5],
      [2, 0.75],
    ]);
    expect(points("accuracy")).toEqual([]);
  });

  it("is nothing where there is no log", () => {
    expect(points()).toEqual([]);
    expect(courseAtHome(folder).progress).toBeNull();
  });
});
