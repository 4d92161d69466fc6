import { describe, expect, it } from "vitest";
import { LogCurves } from "../../../cli/curves/log-curves";
import { metricsOf } from "../../../cli/curves/metric-files";
import { type Series, thinned } from "../../../cli/curves/series";

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
    ).toEqual([{ name: "loss", axis: "epoch", source: "file", xs: [1, 2, 3], ys: [3, Number.NaN, 1] }]);
    expect(metricsOf({ "h.json": '[{"loss":3},{"loss":2}]' }).series[0]).toMatchObject({ axis: "step", xs: [1, 2] });
  });

  it.each([
    [
      "Lightning's CSVLogger, a row for each kind of value",
      "lightning_logs/version_0/metrics.csv",
      "epoch,lr,step,train_loss,val_loss\n0,0.1,49,2.5,\n0,,99,,2.25\n1,0.1,149,1.5,\n1,,199,,1.25\n",
      { name: "train_loss", axis: "step", xs: [49, 149], ys: [2.5, 1.5] },
      { step: 199, epoch: 1 },
    ],
    [
      "Ultralytics' results.csv, as wide as a table",
      "runs/detect/train/results.csv",
      "                  epoch,         train/box_loss,   metrics/mAP50(B)\n                      1,                 1.2031,             0.5\n                      2,                 1.1011,             0.75\n",
      { name: "train/box_loss", axis: "epoch", xs: [1, 2], ys: [1.2031, 1.1011] },
      { epoch: 2 },
    ],
    [
      "Keras' CSVLogger",
      "log.csv",
      "epoch,accuracy,loss,val_loss\n0,0.5,1.5,1.75\n1,0.75,1.25,1.5\n",
      { name: "loss", axis: "epoch", xs: [0, 1], ys: [1.5, 1.25] },
      { epoch: 1 },
    ],
    [
      "Keras' history, a list for each name",
      "history.json",
      '{"loss": [1.5, 1.25], "val_loss": [1.75, 1.5], "params": {"verbose": 1}}',
      { name: "loss", axis: "epoch", xs: [1, 2], ys: [1.5, 1.25] },
      { epoch: 2 },
    ],
    [
      "the Trainer's state, with evaluations between",
      "checkpoint-20/trainer_state.json",
      '{"epoch": 0.2, "log_history": [{"epoch": 0.1, "loss": 2.5, "step": 10}, {"epoch": 0.1, "eval_loss": 2.0, "step": 10}, {"epoch": 0.2, "loss": 1.5, "step": 20}]}',
      { name: "loss", axis: "step", xs: [10, 20], ys: [2.5, 1.5] },
      { step: 20, epoch: 0.2 },
    ],
    [
      "fairseq's and detectron2's JSON lines, numbers as text, under .json",
      "metrics.json",
      '{"iteration": 19, "total_loss": "2.5"}\n{"iteration": 39, "total_loss": "1.5"}\n{"itera',
      { name: "total_loss", axis: "step", xs: [19, 39], ys: [2.5, 1.5] },
      { step: 39 },
    ],
    [
      "records within records, and steps that begin again with each epoch",
      "log.jsonl",
      '{"epoch":0,"batch":0,"train":{"loss":4}}\n{"epoch":0,"batch":1,"train":{"loss":3}}\n{"epoch":1,"batch":0,"train":{"loss":2}}\n{"epoch":1,"batch":1,"train":{"loss":1}}\n',
      { name: "train/loss", axis: "epoch", xs: [0, 0.5, 1, 1.5], ys: [4, 3, 2, 1] },
      { epoch: 1 },
    ],
    [
      "quoted cells, semicolons and NaN",
      "m.csv",
      '"step";"loss";"note"\n1;2.5;"a;b ""c"""\n2;nan;"x"\n',
      { name: "loss", axis: "step", xs: [1, 2], ys: [2.5, Number.NaN] },
      { step: 2 },
    ],
    [
      "a last row that is half written",
      "m.csv",
      "step,loss\n1,2.5\n2,1.5\n3,0.",
      { name: "loss", axis: "step", xs: [1, 2], ys: [2.5, 1.5] },
      { step: 3 },
    ],
  ] as const)("are read from %s", (_, path, text, curve, place) => {
    const metrics = metricsOf({ [path]: text });
    expect(metrics.series).toContainEqual({ source: "file", ...curve });
    expect(metrics.place).toEqual(place);
  });

  it.each([
    ["predictions.csv", "id,prediction,loss\n1,0.5,0.25\n2,0.25,0.5\n"],
    ["evaluation.json", '[{"loss":0.5,"wer":0.25},{"loss":0.25,"wer":0.5}]'],
    ["out/test_results.csv", "index,loss\n0,0.5\n1,0.25\n"],
    ["samples.jsonl", '{"step":1,"loss":0.5}\n{"step":2,"loss":0.25}\n'],
    ["eval.jsonl", '{"epoch":3,"loss":0.5}\n{"epoch":3,"loss":0.25}\n{"epoch":3,"loss":1}\n{"epoch":3,"loss":2}\n'],
    ["rows.json", '[{"text":"a","loss":0.5,"step":1},{"text":"b","loss":0.25,"step":2}]'],
    ["eval/report.json", '{"precision":[0.5,0.25],"recall":[0.5,0.25]}'],
    ["config.json", '{"betas":[0.9,0.999],"milestones":[10,20],"layers":[{"width":3},{"width":4}]}'],
    ["vocabulary.json", '[{"token":"a","count":3},{"token":"b","count":4}]'],
  ])("are none where a file has a row for each example, or settings: %s", (path, text) => {
    expect(metricsOf({ [path]: text }).series).toEqual([]);
  });

  it("are none where files hold something else", () => {
    const files = {
      "a.json": "{broken",
      "b.json": "[1,2]",
      "c.json": '"text"',
      "d.csv": "",
      "e.json": '[{"token":"x"}]',
    };
    expect(metricsOf(files)).toEqual({ series: [], scores: [], place: {} });
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
  const curvesOf = (...lines: string[]): Series[] => {
    const log = new LogCurves();
    for (const line of lines) log.push(Buffer.from(`${line}\n`));
    return log.look().series;
  };

  it.each([
    "2026-01-01T00:00:00Z INFO step 12 epoch 1 loss 0.5 lr 0.1",
    "[step: 12/100] loss: 0.5",
    "iter=12 loss=5e-1",
    "Iteration 12, loss 0.50",
  ])("are read from %s", (line) => {
    expect(curvesOf(line)).toContainEqual({ name: "loss", axis: "step", source: "log", xs: [12], ys: [0.5] });
  });

  it("keep losses of other names apart, and forget steps that are done again", () => {
    const lines = ["step 1 loss 3 valid_loss 4", "step 2 loss 2", "step 3 loss 9", "step 2 loss 1"];
    expect(curvesOf(...lines, "no numbers here: loss of time at step")).toMatchObject([
      { name: "loss", xs: [1, 2], ys: [3, 1] },
      { name: "valid_loss", xs: [1], ys: [4] },
    ]);
  });

  it("keep all epochs where each counts its steps from the beginning", () => {
    const lines = [1, 2].flatMap((epoch) =>
      [100, 600].map((step) => `Epoch [${epoch}/2], Step [${step}/600], Loss: ${epoch}`),
    );
    expect(curvesOf(...lines)).toMatchObject([{ axis: "epoch", ys: [1, 1, 2, 2] }]);
    const plain = [1, 2].flatMap((epoch) => [1, 2, 3].map((step) => `epoch ${epoch} step ${step} loss ${epoch}`));
    expect(curvesOf(...plain)).toMatchObject([{ axis: "epoch", ys: [1, 1, 1, 2, 2, 2] }]);
  });

  it("count a state that is not over yet once, however often they are looked at", () => {
    const log = new LogCurves();
    log.push(Buffer.from("loss: 0.5 a\rloss: 0.25 b\rloss: 0.125 c"));
    for (const _ of [1, 2, 3]) expect(log.look().series).toMatchObject([{ xs: [1, 2, 3], ys: [0.5, 0.25, 0.125] }]);
    log.push(Buffer.from("\r"));
    expect(log.look().series).toMatchObject([{ xs: [1, 2, 3], ys: [0.5, 0.25, 0.125] }]);
  });

  it("keep the whole course of a long log", () => {
    const log = new LogCurves();
    const lines = Array.from({ length: 100_000 }, (_, at) => `step ${at} loss ${at}\n`);
    log.push(Buffer.from(lines.join("")));
    const [{ xs }] = log.look().series as [Series];
    expect(xs.length).toBeLessThanOrEqual(1501);
    expect([xs[0], xs.at(-1)]).toEqual([0, 99_999]);
  });
});
