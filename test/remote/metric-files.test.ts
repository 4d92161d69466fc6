import { mkdir, truncate, utimes, writeFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { metricsOf } from "../../cli/curves/metric-files";
import { readMetricFiles } from "../../remote/metric-files";
import { readMetrics } from "../../remote/run";
import { withSession } from "../../remote/session";
import { RunHost } from "./run-host";
import { useScriptHost } from "./script-host";

/** As real ones are: MathWriting's evaluation has 1.3 MB, a trainer_state.json of transformers 3.8 MB. */
const evaluation = {
  cer: 0.12,
  nested: { exact: 0.5 },
  per_example: Array.from({ length: 25_000 }, (_, index) => ({
    id: `sample-${index}`,
    prediction: "\\frac{a}{b}",
    cer: 0.1,
  })),
};
const history = {
  best_metric: 0.1,
  log_history: Array.from({ length: 40_000 }, (_, index) => ({
    epoch: index / 1000,
    grad_norm: 1.234567890123,
    learning_rate: 1e-5,
    loss: 1 / (index + 1),
    step: index,
  })),
};

describe("metrics of real sizes", { timeout: 60_000 }, () => {
  const host = useScriptHost();
  const runs = new RunHost(host);
  const trained = async (more = "") => {
    const plan = runs.plan(`mkdir -p outputs/o; ${more} echo x > outputs/o/a; echo step 1`);
    await mkdir(host.home("work/outputs/o"), { recursive: true });
    return plan;
  };

  it("are read: scores, curves and outputs, each small", async () => {
    const plan = await trained();
    await runs.start(plan);
    const { outputPath = "" } = await runs.until(plan, "finished");
    await writeFile(`${outputPath}/eval.json`, JSON.stringify(evaluation));
    expect(JSON.stringify(evaluation).length).toBeGreaterThan(1 << 20);
    expect(JSON.stringify(history).length).toBeGreaterThan(2 << 20);
    for (const step of [1000, 2000]) {
      await mkdir(`${outputPath}/checkpoint-${step}`);
      await writeFile(`${outputPath}/checkpoint-${step}/trainer_state.json`, JSON.stringify(history));
    }
    await writeFile(`${outputPath}/predictions.json`, "");
    await truncate(`${outputPath}/predictions.json`, (64 << 20) + 1);
    const { experiment } = plan.run;
    const { files = {}, left } = await withSession(host.sshd.access, (session) =>
      readMetricFiles(session, experiment, outputPath, ""),
    );
    expect(Object.keys(files).sort()).toEqual(["checkpoint-2000/trainer_state.json", "eval.json"]);
    expect(Object.values(files).join("").length).toBeLessThan(1 << 20);
    expect(left).toEqual([{ path: "predictions.json", bytes: (64 << 20) + 1, why: "longer than 64 MiB" }]);
    const { series, scores } = metricsOf(files);
    expect(scores).toContainEqual({ name: "cer", value: 0.12 });
    const loss = series.find(({ name }) => name === "loss");
    expect([loss?.axis, loss?.xs[0], loss?.xs.at(-1)]).toEqual(["step", 0, 39_999]);
    const read = await withSession(host.sshd.access, (session) =>
      readMetrics(session, { experiment, metrics: "*.json" }),
    );
    expect(read).toEqual({
      files: { "eval.json": { cer: 0.12, nested: { exact: 0.5 } } },
      left: [{ path: "predictions.json", bytes: (64 << 20) + 1, why: "longer than 64 MiB" }],
    });
  });

  it("of an earlier start are no scores of this one", async () => {
    const plan = await trained();
    await writeFile(host.home("work/outputs/o/eval.json"), JSON.stringify({ cer: 0.9 }));
    await utimes(host.home("work/outputs/o/eval.json"), 1, 1);
    await runs.start(plan);
    const { outputPath = "" } = await runs.until(plan, "finished");
    const look = () =>
      withSession(host.sshd.access, (session) => readMetricFiles(session, plan.run.experiment, outputPath, ""));
    const before = await look();
    expect(before.earlier).toEqual(["eval.json"]);
    expect(metricsOf(before.files ?? {}, before.earlier).scores).toEqual([]);
    await writeFile(host.home("work/outputs/o/eval.json"), JSON.stringify({ cer: 0.5 }));
    expect((await look()).earlier).toEqual([]);
  });
});
