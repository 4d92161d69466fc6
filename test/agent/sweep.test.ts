import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, it, vi } from "vitest";
import { eventually, kill, SweepFleet } from "../support/sweep-machines";

// A look at what was written, at a trial's end, waits for whatever else this machine does.
vi.setConfig({ testTimeout: 300_000 });

const points = (...rates: string[]) => rates.map((lr) => ({ lr }));
const pidOf = (key: string | undefined): number => Number(key?.split(" ")[0]);

let fleet: SweepFleet;
afterEach(() => fleet?.stop());

const isOver = ({ trials }: Awaited<ReturnType<SweepFleet["summary"]>>): boolean =>
  trials.every(({ state }) => !["queued", "running"].includes(state));

describe("a sweep on several machines", () => {
  it("loses a machine and then the study's, is given two more values, and ends with each trial's result", async () => {
    fleet = new SweepFleet(["machine", "machine-2", "machine-3"], {
      points: points("1.0", "1e-05", "0.1", "0.5", "2", "3"),
    });
    await fleet.place({ leaseSeconds: 20 });
    for (const { name } of fleet.machines) {
      await fleet.work(name, { run: { variables: { PAUSE: name === "machine-3" ? "600" : "1" } } });
    }
    // One that trains for ever is lost: others get its trial.
    const first = await fleet.until(({ trials }) => trials.filter(({ machine }) => machine !== undefined).length >= 3);
    const lost = first.trials.find(({ machine }) => machine === "machine-3");
    await fleet.machine("machine-3").lose();
    const given = await fleet.until(isOver);
    expect(given.trials.map(({ value }) => value)).toEqual([1.0, 1e-5, 0.1, 0.5, 2, 3].map((rate) => rate / 3));
    expect(given.trials[lost?.number ?? -1]).toMatchObject({ lost: 1, attempt: 2, failures: 0 });
    expect(given.best).toBe(1);
    await eventually(
      () => fleet.machine("machine-2").fact("exp", "exit") === 0,
      () => fleet.machine("machine-2").log(),
    );

    await fleet.machine("machine").lose();
    fleet.study = "machine-2";
    const { copy } = JSON.parse(
      await fleet.machine("machine-2").call({ verb: "study-copy", document: { experiment: "exp" } }),
    );
    expect(copy).toMatchObject({ number: 1, study: false });
    await fleet.machine("machine-2").call({ verb: "study-adopt", document: { experiment: "exp" } });
    const before = await fleet.summary();
    expect(before.epoch).not.toBe(given.epoch);
    // What the lost machine had is at home but for one trial.
    const ofLost = given.trials.filter(({ machine }) => machine === "machine").map(({ number }) => number);
    const [again, ...home] = ofLost;
    // The copy may lack what came after its worker had nothing left to do.
    const trained = given.trials.flatMap(({ number, params, value }) =>
      home.includes(number) ? [{ number, params, value: value ?? 0 }] : [],
    );
    await fleet.place(
      { points: points("1.0", "1e-05", "0.1", "0.5", "2", "3", "7", "8") },
      { home, lost: ["machine", "machine-3"], trained },
    );
    await fleet.work("machine-2");
    const after = await fleet.until(isOver);
    expect(after.trials.map(({ state, value }) => [state, value])).toEqual(
      [1.0, 1e-5, 0.1, 0.5, 2, 3, 7, 8].map((rate) => ["complete", rate / 3]),
    );
    const started = (name: string): string[] => fleet.machine(name).starts.map((line) => line.split(" ")[0] ?? "");
    expect(started("machine-2").slice(-3).sort()).toEqual([`exp-t${again}`, "exp-t6", "exp-t7"].sort());
    expect([...started("machine"), ...started("machine-2")].sort()).toEqual(
      [...[0, 1, 2, 3, 4, 5, 6, 7].map((number) => `exp-t${number}`), `exp-t${again}`].sort(),
    );
    expect(fleet.machine("machine-2").log()).toMatch(
      /trial 7 finished: valid_loss=2\.66\d* \(lr=8\) on machine-2 in \d+ s/,
    );
  });

  it("goes on while the study is out of reach, and tells it afterwards", async () => {
    fleet = new SweepFleet(["machine", "machine-2"], { points: points("1", "2") });
    await fleet.place();
    await fleet.work("machine-2", { run: { variables: { PAUSE: "1" } } });
    await eventually(
      () => fleet.machine("machine-2").starts.length === 1,
      () => fleet.machine("machine-2").log(),
    );
    await fleet.machine("machine").lose();
    await eventually(
      () => /trial 0 finished/.test(fleet.machine("machine-2").log()),
      () => fleet.machine("machine-2").log(),
    );
    expect(fleet.machine("machine-2").log()).toContain("doesn't answer; what runs here goes on");
    // Its copy of the study has seen the trial begin, and not end.
    fleet.study = "machine-2";
    await fleet.machine("machine-2").call({ verb: "study-adopt", document: { experiment: "exp" } });
    await fleet.place({}, { home: [], lost: ["machine"] });
    await fleet.work("machine-2", { run: { variables: { PAUSE: "0.1" } } });
    const { trials } = await fleet.until(isOver);
    expect(trials.map(({ attempt, state, value }) => [attempt, state, value])).toEqual([
      [1, "complete", 1 / 3],
      [1, "complete", 2 / 3],
    ]);
  });
});

describe("a sweep on one machine", () => {
  it("tries a trial again that fails, reports it, and goes on with the others", async () => {
    fleet = new SweepFleet(["machine"], { points: points("1", "2") });
    await fleet.place();
    const command = 'python3 train.py {config} {experiment}; [ "{trial}" != 0 ] || exit 3';
    await fleet.work("machine", { run: { command } });
    const { trials } = await fleet.until(isOver);
    expect(trials).toMatchObject([
      { state: "failed", attempt: 2, failures: 2, exitCode: 3, reason: "training ended with status 3" },
      { state: "complete", attempt: 1, value: 2 / 3 },
    ]);
    await eventually(
      () => fleet.machine("machine").fact("exp", "exit") === 0,
      () => fleet.machine("machine").log(),
    );
    const known = (number: number): unknown =>
      JSON.parse(fleet.machine("machine").file(".lambda-train/study/exp/trials", `${number}.json`));
    expect([0, 1].map(known)).toMatchObject([{ told: "failed" }, { told: "complete" }]);
  });

  it("says which metrics there are where the one that is wanted isn't, and doesn't train such a trial again", async () => {
    fleet = new SweepFleet(["machine"], { points: points("1"), metric: "valid_accuracy" });
    await fleet.place();
    await fleet.work("machine");
    const { trials } = await fleet.until(isOver);
    expect(trials).toMatchObject([{ state: "failed", attempt: 1 }]);
    expect(trials[0]?.reason).toMatch(/^sweep\.metric: valid_accuracy was found neither .*Found: .*valid_loss/);
  });

  it("takes the metric from the evaluation, values from the command, and gives trials at a time GPUs of their own", async () => {
    fleet = new SweepFleet(["machine"], { points: points("1", "2", "3", "4"), metric: "score.wer" });
    const [machine] = fleet.machines;
    writeFileSync(
      join(machine?.home ?? "", "bin/nvidia-smi"),
      '#!/bin/sh\nfor i in 0 1 2 3; do echo "GPU $i: H100"; done\n',
    );
    chmodSync(join(machine?.home ?? "", "bin/nvidia-smi"), 0o755);
    await fleet.place();
    const evaluate = `out=outputs/{experiment}; echo '{"score": {"wer": '"$RATE"'5}}' >$out/eval.json; test -s {checkpoint}`;
    const command = "printf 'lr: %s\\n' {lr} >{experiment}.yaml; python3 train.py {experiment}.yaml {experiment}";
    const run = { command, variables: { RATE: "{lr}", PAUSE: "0.6" } };
    const evaluation = { command: evaluate, checkpoint: "epoch", metrics: "*.json", timeoutSeconds: 20 };
    await fleet.work("machine", { gpusPerRun: 2, template: undefined, run, evaluation });
    const { trials } = await fleet.until(isOver);
    expect(trials.map(({ value }) => value)).toEqual([15, 25, 35, 45]);
    const gpus = fleet.machine("machine").starts.map((line) => line.split(" ")[2]);
    expect(gpus.slice(0, 2).sort()).toEqual(["0,1", "2,3"]);
    expect(new Set(gpus).size).toBe(2);
    expect(trials[1]?.startedAt).toBeLessThan(trials[0]?.endedAt ?? 0);
    // What one trial has written is none of another's.
    expect(fleet.machine("machine").fact("exp-t1", "outputPath")).toBe(
      `${fleet.machine("machine").home}/work/outputs/exp-t1`,
    );
    expect(fleet.machine("machine").fact("exp-t1", "outputBeside") ?? []).toEqual([]);
  });

  it("prunes a trial that does worse than others, which is no failure", async () => {
    const prune = { kind: "median", options: { n_startup_trials: 1, n_warmup_steps: 0 } } as const;
    fleet = new SweepFleet(["machine"], { points: points("1", "100"), prune });
    await fleet.place();
    await fleet.work("machine", { run: { variables: { PAUSE: "1.5" } } });
    const { trials } = await fleet.until(isOver);
    expect(trials).toMatchObject([{ state: "complete" }, { state: "pruned", value: 100, failures: 0 }]);
    expect(fleet.machine("machine").fact("exp-t1", "stopReason")).toBe("pruned");
    expect(fleet.machine("machine").log()).toContain("trial 1 pruned: valid_loss=100.0 (lr=100)");
  });

  it("is stopped cleanly, gives its trial back, and resumes it", async () => {
    fleet = new SweepFleet(["machine"], { points: points("1") });
    await fleet.place();
    await fleet.work("machine", { run: { variables: { PAUSE: "1" } } });
    await eventually(
      () => fleet.machine("machine").file("work/outputs/exp-t0/epoch") === "1",
      () => fleet.machine("machine").log(),
    );
    await fleet.machine("machine").call({ verb: "stop", document: { experiment: "exp", reason: "user", grace: 30 } });
    expect(fleet.machine("machine").fact("exp-t0", "stopReason")).toBe("worker");
    expect(await fleet.summary()).toMatchObject({ trials: [{ state: "queued", attempt: 1, failures: 0 }] });
    expect(await fleet.work("machine", { run: { variables: { PAUSE: "0.1" } } })).toContain("started: attempt 2");
    const { trials } = await fleet.until(isOver);
    expect(trials).toMatchObject([{ state: "complete", attempt: 2, failures: 0, value: 1 / 3 }]);
    expect(
      fleet
        .machine("machine")
        .log("exp-t0")
        .match(/epoch 1 /g),
    ).toHaveLength(1);
  });

  it("survives its worker, the study's server and a trial's supervisor, each killed", async () => {
    fleet = new SweepFleet(["machine"], { points: points("1", "2") });
    const machine = fleet.machine("machine");
    await fleet.place();
    await fleet.work("machine", { run: { variables: { PAUSE: "1" } } });
    await eventually(
      () => machine.starts.length === 1,
      () => machine.log(),
    );
    kill(pidOf(JSON.parse(machine.file(".lambda-train/study/exp/server.json")).process));
    for (const name of ["supervisor", "launcher"]) kill(pidOf(machine.fact<string>("exp", name)));
    kill(pidOf(machine.fact<string>("exp-t0", "supervisor")));
    await machine.call({ verb: "stop", document: { experiment: "exp", reason: "test", grace: 0 } });
    expect(machine.fact("exp-t0", "exit")).toBeUndefined();
    expect(await fleet.work("machine", { run: { variables: { PAUSE: "0.1" } } })).toContain("started: attempt 2");
    const { trials } = await fleet.until(isOver);
    expect(trials.map(({ state, attempt, value }) => [state, attempt, value])).toEqual([
      ["complete", 1, 1 / 3],
      ["complete", 1, 2 / 3],
    ]);
    expect(machine.starts).toHaveLength(2);
    expect(machine.log()).toContain("trial 0 still runs");
  });

  it("works again where values are added after its end, and on what is new alone", async () => {
    fleet = new SweepFleet(["machine"], { points: points("1") });
    await fleet.place();
    await fleet.work("machine");
    await eventually(
      () => fleet.machine("machine").fact("exp", "exit") === 0,
      () => fleet.machine("machine").log(),
    );
    expect(await fleet.work("machine")).toContain("already finished");
    expect(await fleet.place({ points: points("1", "2", "3") })).toBe(2);
    expect(await fleet.work("machine")).toContain("started: attempt 2");
    const { trials } = await fleet.until(isOver);
    expect(trials.map(({ value }) => value)).toEqual([1 / 3, 2 / 3, 1]);
    expect(fleet.machine("machine").starts.map((line) => line.split(" ").slice(0, 2))).toEqual([
      ["exp-t0", "1"],
      ["exp-t1", "2"],
      ["exp-t2", "3"],
    ]);
  });
});
