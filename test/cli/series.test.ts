import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { lastProgress, seriesOf } from "../../cli/experiments/series";

/** What `npm run experiments` reads out of results that are large. */
describe("an experiment's course", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "lambda-train-series-"));
    mkdirSync(join(folder, "run"));
  });
  afterEach(() => rmSync(folder, { recursive: true }));
  const log = (): string => join(folder, "run/train.log");

  it("is read from a log that is longer than any text can be", () => {
    writeFileSync(log(), "epoch 6 loss 0.75\n");
    truncateSync(log(), 600 * 1024 ** 2);
    writeFileSync(log(), "\nepoch 7 loss 0.5\r\nepoch 8 loss 0.25\rwithout a count", { flag: "a" });
    expect(seriesOf(folder, "loss")).toEqual([
      [6, 0.75],
      [7, 0.5],
      [8, 0.25],
    ]);
  });

  it("is told by the last count of the log", () => {
    writeFileSync(log(), "epoch 7 loss 0.5\r\nepoch 8 loss 0.25\rwithout a count");
    expect(lastProgress(folder)).toBe("epoch 8");
  });

  it("is the history's, however many files of a sample each lie below", () => {
    mkdirSync(join(folder, "a/predictions"), { recursive: true });
    for (let i = 0; i < 2000; i++) writeFileSync(join(folder, `a/predictions/${i}.json`), '[{"loss": 1}, {"loss": 2}]');
    writeFileSync(join(folder, "z.json"), '[{"epoch": 3, "loss": 0.5}, {"epoch": 4, "loss": 0.25}]');
    expect(seriesOf(folder, "loss")).toEqual([
      [3, 0.5],
      [4, 0.25],
    ]);
  });

  it("is nothing where there is no log", () => {
    expect(seriesOf(folder, "loss")).toEqual([]);
    expect(lastProgress(folder)).toBeNull();
  });
});
