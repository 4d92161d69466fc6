import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { cp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { runsOf } from "../../plan/fleet";
import { makePlan } from "../../plan/plan";
import { type Job, jobsOf } from "../../plan/types";
import { startCall, workCall } from "../../remote/start";

describe("a sweep in the plan", () => {
  let folder: string;
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), "lambda-train-sweep-"));
    vi.stubEnv("LAMBDA_TRAIN_LOCAL", join(folder, "local"));
    await cp(join(__dirname, "../fixtures/tiny"), join(folder, "work"), { recursive: true });
    writeFileSync(join(folder, "work/configs/lambda.yaml"), "# how\noptimizer:\n  lr: 1e-3  # fast\nsteps: 40\n");
  });
  afterEach(() => {
    vi.unstubAllEnvs();
    rmSync(folder, { recursive: true, force: true });
  });

  const planOf = async (sweep: string, train = "", more = "experiment: exp"): Promise<Job> => {
    const file = join(folder, "experiment.yaml");
    const indented = (text: string) => text.trim().replaceAll(/^/gm, "  ");
    writeFileSync(
      file,
      `${more}\nworkload: {source: ${join(folder, "work")}}\ntrain:\n  maxHours: 1\n${indented(train)}\nsweep:\n${indented(sweep)}\n`,
    );
    const raw = {
      experiment: file,
      endpoint: "emulated",
      instanceTypes: '["cpu_4x_general"]',
      regions: '["us-east-1"]',
    };
    const [job] = jobsOf(await makePlan("test", raw));
    return job ?? expect.fail("The plan has no run.");
  };
  const problems = (sweep: string, train = "", more?: string): Promise<string> =>
    planOf(sweep, train, more).then(
      () => "none",
      (error: Error) => error.message,
    );

  it("has a trial for each combination of a grid, and marks in the config where values belong", async () => {
    const { worker, run, workload, config } = await planOf(`
metric: valid_loss
grid:
  optimizer.lr: [1e-4, 1.0, 2]
  steps: [10, "20"]
`);
    expect(worker?.places).toEqual({ "optimizer.lr": "config", steps: "config" });
    // A number stays as it is written, and text stays text.
    expect(worker?.definition.points).toEqual(
      ["1e-4", "1.0", "2"].flatMap((lr) => ["10", '"20"'].map((steps) => ({ "optimizer.lr": lr, steps }))),
    );
    expect(worker?.definition).toMatchObject({ metric: "valid_loss", direction: "minimize", prune: null, retries: 1 });
    expect(worker?.template).toBe(".lambda-train/exp.yaml");
    expect(workload.extraFiles).toEqual({
      ".lambda-train/exp.yaml":
        "# how\noptimizer:\n  lr: lambda-train-sweep/optimizer.lr/value  # fast\nsteps: lambda-train-sweep/steps/value\n",
    });
    expect(run.command).toBe("make train CONFIG={config} EXPERIMENT={experiment}");
    expect(config).toMatchObject({ path: ".lambda-train/exp.yaml", base: "configs/lambda.yaml" });
  });

  it("fills placeholders of commands and variables instead, and leaves the config as it is", async () => {
    const { worker, run, workload } = await planOf(
      "metric: loss\nlist: [{lr: 0.1, size: small, seed: 1}, {lr: 0.2, size: big, seed: 2}]",
      `command: python3 train.py {config} {experiment} --lr {lr} --keep \${lr}
resume: python3 train.py {config} {experiment} --seed {seed} --from {checkpoint}
variables: {SIZE: "{size}"}`,
    );
    expect(worker?.places).toEqual({ lr: "command", size: "variable", seed: "command" });
    expect(worker?.template).toBeUndefined();
    expect(workload.extraFiles).toEqual({});
    // Of the command, what is each trial's own stays.
    expect(run.command).toBe(`python3 train.py configs/lambda.yaml {experiment} --lr {lr} --keep \${lr}`);
    expect(run.resume?.command).toBe(
      "python3 train.py configs/lambda.yaml {experiment} --seed {seed} --from {checkpoint}",
    );
  });

  it("has the same code and run whatever the values are, so that a change of them trains the difference alone", async () => {
    const [one, two, other] = [
      await planOf("metric: loss\ngrid: {steps: [1]}"),
      await planOf("metric: loss\ngrid: {steps: [1, 2]}"),
      await planOf("metric: loss\ngrid: {optimizer.lr: [1]}"),
    ];
    expect([two.workload.hash, two.run.hash]).toEqual([one.workload.hash, one.run.hash]);
    expect(two.worker?.hash).not.toBe(one.worker?.hash);
    expect(other.run.hash).not.toBe(one.run.hash);
  });

  it("tells a search in Optuna's terms", async () => {
    const { worker } = await planOf(`
metric: valid_loss
direction: maximize
trials: 20
seed: 3
search:
  optimizer.lr: {low: 1e-5, high: 1e-1, log: true}
  steps: {choices: [10, ten, true]}
prune: {by: hyperband, minResource: 2, reductionFactor: 4}
gpusPerRun: 2
`);
    expect(worker).toMatchObject({
      gpusPerRun: 2,
      definition: {
        space: { "optimizer.lr": { low: 1e-5, high: 0.1, log: true }, steps: { choices: ["10", '"ten"', "true"] } },
        sampler: "tpe",
        trials: 20,
        seed: 3,
        direction: "maximize",
        prune: { kind: "hyperband", options: { min_resource: 2, reduction_factor: 4 } },
      },
    });
  });

  it("leaves its trials to the machine that has the study", async () => {
    const sweep = await planOf("metric: loss\ngrid: {steps: [1, 2]}");
    const runs = runsOf({ run: sweep.run }, { machines: 3, together: false }, sweep.worker);
    expect(runs.map(({ worker }) => worker?.definition.points?.length)).toEqual([2, undefined, undefined]);
    expect(new Set(runs.map(({ worker }) => worker?.hash)).size).toBe(1);
    expect(runs[2]?.worker?.definition).toMatchObject({ metric: "loss", direction: "minimize" });
  });

  it("tells the agent all of it", async () => {
    const job = await planOf("metric: loss\ngrid: {steps: [1]}", "graceSeconds: 5");
    expect(workCall(job, "i-1").document).toMatchObject({
      experiment: "exp",
      worker: {
        machine: "machine",
        study: "machine",
        instance: "i-1",
        metric: "loss",
        config: ".lambda-train/exp.yaml",
        trial: { hash: job.run.hash, limits: { maxSeconds: 3600 }, run: { grace: 5 } },
      },
    });
    const { run, limits } = startCall(job).document as { run: Record<string, unknown>; limits: object };
    expect(run).toMatchObject({
      sweep: "exp",
      grace: 45,
      firstStepPattern: "^(trial [0-9]+: first step|no trial (waits|is left))",
    });
    expect(run.command).toMatch(/^exec python3 -IS "\$HOME\/\.lambda-train\/agent\/\w+" work [0-9a-f]+$/);
    // What a trial may take is no limit of the worker's.
    expect(limits).toEqual({ deadline: undefined });
  });

  it.each<[string, string, string, string?]>([
    ["without values", "metric: loss", 'sweep is {"metric":"loss"}: must have exactly one of grid, list and search'],
    [
      "two kinds",
      "metric: loss\ngrid: {steps: [1]}\nlist: [{steps: 1}]",
      "exactly one of grid, list and search, and has grid, list",
    ],
    ["without a metric", "grid: {steps: [1]}", "sweep.metric is not set: must be the name of a metric"],
    [
      "a search without trials",
      "metric: loss\nsearch: {steps: {low: 1, high: 2}}",
      "sweep.trials is not set: must be set with search",
    ],
    ["trials of a grid", "metric: loss\ntrials: 3\ngrid: {steps: [1]}", "sweep.trials is 3: goes with search alone"],
    [
      "a range the wrong way round",
      "metric: loss\ntrials: 1\nsearch: {steps: {low: 2, high: 1}}",
      "sweep.search.steps.high is 1: must be 2 (low) or more",
    ],
    [
      "a logarithm of 0",
      "metric: loss\ntrials: 1\nsearch: {steps: {low: 0, high: 1, log: true}}",
      "sweep.search.steps.low is 0: must be above 0 with log: true",
    ],
    [
      "choices with a range",
      "metric: loss\ntrials: 1\nsearch: {steps: {choices: [1], low: 0}}",
      "has choices, so low, high",
    ],
    ["an empty list of values", "metric: loss\ngrid: {steps: []}", "sweep.grid.steps is []: must hold a value or more"],
    ["a value twice", "metric: loss\ngrid: {steps: [1, 1]}", "these values stand there twice. Remove one"],
    [
      "a list with a gap",
      "metric: loss\nlist: [{steps: 1, optimizer.lr: 2}, {steps: 2}]",
      "it gives no value for optimizer.lr",
    ],
    [
      "two ways to share GPUs",
      "metric: loss\ngrid: {steps: [1]}\ngpusPerRun: 1\nrunsPerMachine: 2",
      "can't go with gpusPerRun",
    ],
    [
      "a pruner that isn't",
      "metric: loss\ngrid: {steps: [1]}\nprune: best",
      'sweep.prune is "best": must be median, hyperband, or',
    ],
    [
      "a setting of another pruner",
      "metric: loss\ngrid: {steps: [1]}\nprune: {by: median, minResource: 1}",
      "sweep.prune.minResource is 1: median knows startupTrials",
    ],
    [
      "a sampler that needs more packages",
      "metric: loss\ntrials: 1\nsampler: cmaes\nsearch: {steps: {low: 1, high: 2}}",
      'sweep.sampler is "cmaes": must be tpe or random',
    ],
    [
      "a name that stands nowhere",
      "metric: loss\ngrid: {optimzer.lr: [1]}",
      "it stands nowhere: {optimzer.lr} is in no command and in no value of train.variables, and configs/lambda.yaml has no such key. Did you mean optimizer.lr?",
    ],
    [
      "a map",
      "metric: loss\ngrid: {optimizer: [1]}",
      "configs/lambda.yaml has a map there, and a value would take the place of all that it holds. Name a key in it, as optimizer.<key>",
    ],
    [
      "a config's path without a config",
      "metric: loss\ngrid: {steps: [1]}",
      "train.config is null. Write {steps} where the value belongs",
      "config: null\ncommand: python3 train.py configs/lambda.yaml {experiment}",
    ],
    [
      "a placeholder of the stack's",
      "metric: loss\ngrid: {experiment: [1]}",
      "the stack fills this placeholder itself",
    ],
  ])("refuses %s", async (_, sweep, message, train = "") => {
    expect(await problems(sweep, train)).toContain(message);
  });

  it("refuses a name that leaves no room for its trials'", async () => {
    const name = "e".repeat(57);
    expect(await problems("metric: loss\ngrid: {steps: [1]}", "", `experiment: ${name}`)).toContain(
      "may have 56 letters",
    );
  });

  it("lays marks over a config in JSON, over overrides, and over a config that setup makes", async () => {
    writeFileSync(join(folder, "work/configs/a.json"), '{"optimizer": {"lr": 0.1}, "steps": 3}');
    const json = await planOf(
      "metric: loss\ngrid: {optimizer.lr: [1]}",
      "config: configs/a.json\noverrides: {steps: 5}",
    );
    expect(json.workload.extraFiles).toEqual({
      ".lambda-train/exp.json": '{"optimizer": {"lr": "lambda-train-sweep/optimizer.lr/value"}, "steps": 5}',
    });
    const added = await planOf("metric: loss\ngrid: {model.depth: [1]}", "overrides: {model: {depth: 3, width: 2}}");
    expect(added.workload.extraFiles[".lambda-train/exp.yaml"]).toContain(
      "depth: lambda-train-sweep/model.depth/value",
    );
    const made = await planOf(
      "metric: loss\ngrid: {optimizer.lr: [1]}",
      "config: configs/made.yaml\noverrides: {steps: 5}",
      "experiment: exp\nenvironment: {makes: [configs/made.yaml]}",
    );
    expect(made.worker?.template).toBe(".lambda-train/exp.yaml");
    expect(JSON.stringify(made.run.madeConfig?.overrides?.tree)).toContain("lambda-train-sweep/optimizer.lr/value");
  });
});
