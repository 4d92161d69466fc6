import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { allExperiments, configurationOf } from "../../cli/experiments/experiments";
import { type Bill, billSchema } from "../../lambda/billing/bill";
import { headLine } from "../../remote/transfer/results-file";
import { parseRunRecord } from "../../remote/transfer/run-record";

/** What `experiments` tells of results and bills: what ran, not what the files say today, and the newest start's metrics. */
describe("npm run experiments", () => {
  let root: string;

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), "lambda-train-ran-"));
    vi.stubEnv("LAMBDA_TRAIN_LEDGERS", root);
    mkdirSync(join(root, "s"));
  });
  afterEach(() => {
    vi.unstubAllEnvs();
    rmSync(root, { recursive: true });
  });

  const brought = (
    instance: string,
    run: object | undefined,
    evaluation: object,
    createdAt = "2026-01-02T00:00:00Z",
  ) => {
    const folder = join(root, "s/exp");
    mkdirSync(folder, { recursive: true });
    const told = run && parseRunRecord({ experiment: "exp", attempt: 1, ...run });
    const head = headLine({ createdAt, source: `${instance}:exp@aaaaaaaaaaaa`, run: told });
    writeFileSync(join(folder, "manifest.json"), `${head}\n]}\n`);
    writeFileSync(join(folder, "eval.json"), JSON.stringify(evaluation));
    return folder;
  };
  const billed = (instanceId: string, day: number, metrics: Record<string, number>): void => {
    const bill: Bill = billSchema.parse({
      version: 1,
      stack: "s",
      emulated: true,
      instanceId,
      instanceType: "t",
      region: "r",
      launchedAt: `2026-01-0${day}T00:00:00Z`,
      billedSince: null,
      terminatedAt: `2026-01-0${day}T01:00:00Z`,
      minutes: 1,
      priceCentsPerHour: 1,
      dollars: 1,
      estimate: null,
      endedBy: "us",
      runs: [{ experiment: "exp", outcome: "finished", metrics }],
    });
    writeFileSync(join(root, "s/ledger.jsonl"), `${JSON.stringify(bill)}\n`, { flag: "a" });
  };
  const only = () => {
    const { found, problems } = allExperiments("loss");
    return { ...found[0]?.report, problems };
  };

  it("compares what ran", () => {
    const workload = { source: "ink", commit: "c".repeat(40), changed: true, hash: "w".repeat(64) };
    const config = {
      path: ".lambda-train/exp.yaml",
      base: "a.yaml",
      overrides: '{"lr":0.1}',
      text: "lr: 0.1\nmodel:\n  d: 4\n",
    };
    const folder = brought(
      "i-1",
      { workload, config, command: "make train EXPERIMENT=exp", variables: ["A", "B"] },
      {},
    );
    const { configuration, isToday } = configurationOf({ experiment: "exp", folder }, root);
    expect(isToday).toBe(false);
    expect(configuration).toEqual({
      "workload.source": "ink",
      commit: "cccccccccccc and uncommitted changes",
      code: "wwwwwwwwwwww",
      "train.command": "make train EXPERIMENT={experiment}",
      "train.config": "a.yaml",
      "train.overrides.lr": 0.1,
      "config: lr": 0.1,
      "config: model.d": 4,
      variables: "A B",
    });
  });

  it("says where no record tells what ran", () => {
    const folder = brought("i-1", undefined, {});
    expect(configurationOf({ experiment: "exp", folder }, root)).toEqual({ configuration: {}, isToday: true });
  });

  it("shows the metrics of the instance that ended last, not those of results of an earlier one", () => {
    brought("i-1", undefined, { cer: 0.1 }, "2026-01-01T01:00:00Z");
    billed("i-1", 1, { cer: 0.1 });
    billed("i-2", 2, { cer: 0.5 });
    expect(only()).toMatchObject({
      state: "finished; the results here are of an earlier instance",
      metrics: { cer: 0.5 },
      folder: null,
    });
  });

  it("shows nothing of a bill where the results here are of a later instance", () => {
    billed("i-1", 1, { cer: 0.1, wer: 0.2 });
    brought("i-2", undefined, { cer: 0.5 });
    expect(only()).toMatchObject({ state: "downloaded", metrics: { cer: 0.5 } });
    expect(only().metrics).not.toHaveProperty("wer");
  });

  it("says of which start the metrics are, where the newest was not evaluated", () => {
    const attempts = [
      { number: 1, exitCode: 0, evaluation: 0 },
      { number: 2, exitCode: 1 },
    ];
    brought("i-1", { attempt: 2, attempts }, { cer: 0.1 });
    expect(only()).toMatchObject({ metricsOfStart: 1, metrics: { cer: 0.1 } });
  });

  it("reads the numbers of a long evaluation, and names one that is too long", () => {
    const samples = Array.from({ length: 20_000 }, (_, index) => ({ id: index, prediction: "x".repeat(50), cer: 0.5 }));
    const folder = brought("i-1", undefined, { cer: 0.25, samples });
    expect(only()).toMatchObject({ metrics: { cer: 0.25 }, problems: [] });
    writeFileSync(join(folder, "eval-all.json"), " ".repeat((64 << 20) + 1));
    expect(only().problems).toEqual([
      expect.stringMatching(/s\/exp: .*eval-all\.json \(67\.1 MB: longer than 64 MiB\)/),
    ]);
  });
});
