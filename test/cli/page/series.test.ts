import { describe, expect, it } from "vitest";
import { LogSeries } from "../../../cli/page/log-series";
import { metricsOf, thinned } from "../../../cli/page/series";

const row = { step: 10, epoch: 1, valid_loss: 2.5, note: "x" };

describe("curves from metric files", () => {
  it.each([
    ["a list of records", { "metrics/history.json": JSON.stringify([row, { ...row, step: 20, valid_loss: 1.5 }]) }],
    [
      "JSON lines, the last one half written",
      { "log.jsonl": `{"step":10,"valid_loss":2.5}\n{"step":20,"valid_loss":1.5}\n{"ste` },
    ],
    ["CSV with empty cells", { "metrics.csv": "epoch,step,valid_loss\n1,10,2.5\n1,15,\n2,20,1.5\n" }],
    [
      "a list within an object",
      { "trainer_state.json": JSON.stringify({ log_history: [row, { step: 15 }, { step: 20, valid_loss: 1.5 }] }) },
    ],
    [
      "steps done again after a checkpoint",
      { "h.json": JSON.stringify([row, { step: 20, valid_loss: 9 }, { step: 20, valid_loss: 1.5 }]) },
    ],
  ])("are read from %s", (_, files) => {
    const { series } = metricsOf(files);
    expect(series).toEqual([{ name: "valid_loss", axis: "step", source: "file", xs: [10, 20], ys: [2.5, 1.5] }]);
  });

  it("go by epochs, or by their order, where nothing counts steps", () => {
    expect(
      metricsOf({ "h.json": '[{"epoch":1,"loss":3},{"epoch":2,"loss":NaN},{"epoch":3,"loss":1}]' }).series,
    ).toEqual([{ name: "loss", axis: "epoch", source: "file", xs: [1, 3], ys: [3, 1] }]);
    expect(metricsOf({ "h.json": '[{"loss":3},{"loss":2}]' }).series[0]).toMatchObject({ axis: "step", xs: [1, 2] });
  });

  it("are none where files hold something else", () => {
    const files = {
      "a.json": "{broken",
      "b.json": "[1,2]",
      "c.json": '"text"',
      "d.csv": "",
      "e.json": '[{"token":"x"}]',
    };
    expect(metricsOf(files)).toEqual({ series: [], scores: [] });
  });

  it("stand beside the scores of an evaluation", () => {
    const files = { "metrics/evaluation.json": '{"step":5,"error":0.25,"test":{"accuracy":0.75},"note":"x"}' };
    expect(metricsOf(files).scores).toEqual([
      { name: "error", value: 0.25 },
      { name: "test.accuracy", value: 0.75 },
    ]);
  });

  it("have no more points than can be seen, with the first and the last", () => {
    const { xs } = thinned(Array.from({ length: 10_001 }, (_, x) => [x, x] as const));
    expect(xs.length).toBeLessThanOrEqual(1501);
    expect([xs[0], xs.at(-1)]).toEqual([0, 10_000]);
  });
});

describe("curves from the log", () => {
  it.each([
    "2026-01-01T00:00:00Z INFO step 12 epoch 1 loss 0.5 lr 0.1",
    "[step: 12/100] loss: 0.5",
    "iter=12 loss=5e-1",
    "Iteration 12, loss 0.50",
  ])("are read from %s", (line) => {
    const log = new LogSeries();
    expect(log.push(line)).toBe(true);
    expect(log.series).toEqual([{ name: "loss", axis: "step", source: "log", xs: [12], ys: [0.5] }]);
  });

  it("keep losses of other names apart, and forget steps that are done again", () => {
    const log = new LogSeries();
    for (const line of ["step 1 loss 3 valid_loss 4", "step 2 loss 2", "step 3 loss 9", "step 2 loss 1"])
      log.push(line);
    expect(log.push("no numbers here: loss of time at step")).toBe(false);
    expect(log.series.map(({ name, xs, ys }) => [name, xs, ys])).toEqual([
      ["loss", [1, 2], [3, 1]],
      ["valid_loss", [1], [4]],
    ]);
  });
});
