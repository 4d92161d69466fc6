import { afterEach, describe, expect, it } from "vitest";
import { instanceOf, kill, SweepFleet } from "../support/sweep-machines";

let fleet: SweepFleet;
afterEach(() => fleet?.stop());

const machine = "machine";
const points = (...rates: string[]) => rates.map((lr) => ({ lr }));
const space = {
  lr: { low: 1e-5, high: 1, log: true },
  layers: { low: 1, high: 4, int: true },
  optimizer: { choices: ['"adam"', '"sgd"'] },
};

interface Given {
  readonly number: number;
  readonly params: Record<string, unknown>;
  readonly attempt: number;
}

/** Who speaks. */
const on = (name: string) => ({ machine: name, instance: instanceOf(name) });

/** A trial for a machine, or what is said instead. */
async function given(name = machine, have: number[] = []): Promise<Given> {
  const { ok, error } = (await fleet.ask({ op: "ask", ...on(name), have })) as {
    ok?: { trial?: Given };
    error?: string;
  };
  return ok?.trial ?? expect.fail(`no trial: ${error ?? JSON.stringify(ok)}`);
}

/** How an attempt of a trial has ended. */
async function tell(trial: Given, state: string, value?: number, more: object = {}, name = machine): Promise<unknown> {
  const request = { op: "tell", ...on(name), ...trial, state, value, values: [], facts: {}, final: false, ...more };
  const { ok } = (await fleet.ask(request)) as { ok?: { counts: boolean } };
  return ok?.counts;
}

async function beat(trials: readonly Given[], values: readonly (readonly number[])[] = [], name = machine) {
  const running = trials.map((trial) => ({ ...trial, values }));
  const { ok } = (await fleet.ask({ op: "beat", ...on(name), running, offset: 0, epoch: "" })) as {
    ok: { prune: number[]; stop: number[]; journal: string };
  };
  return ok;
}

async function killServer(): Promise<void> {
  const { process: key } = JSON.parse(fleet.machine(machine).file(".lambda-train/study/exp/server.json")) as {
    process: string;
  };
  kill(Number(key.split(" ")[0]));
  await new Promise((resolve) => setTimeout(resolve, 100));
}

describe("the study of a search", () => {
  const trained = async (
    sampler: "tpe" | "random",
    trials: number,
    seed: number,
    kills: boolean,
  ): Promise<unknown[]> => {
    fleet = new SweepFleet([machine], { space, sampler, trials, seed });
    await fleet.place();
    const tried: unknown[] = [];
    for (let at = 0; at < trials; at++) {
      const trial = await given();
      tried.push(trial.params);
      await tell(trial, "complete", Math.abs(Math.log(Number(trial.params.lr)) + 5) + Number(trial.params.layers));
      if (kills && at % 5 === 2) await killServer();
    }
    expect(await fleet.ask({ op: "ask", machine, have: [] })).toMatchObject({ ok: { done: true } });
    const { importance } = await fleet.summary();
    expect(Object.keys(importance).sort()).toEqual(["layers", "lr", "optimizer"]);
    await fleet.stop();
    return tried;
  };

  it("tries the same values by the same seed, however often its server is killed", async () => {
    const tried = await trained("tpe", 16, 7, false);
    expect(await trained("tpe", 16, 7, true)).toEqual(tried);
    const random = await trained("random", 6, 7, true);
    expect(await trained("random", 6, 7, false)).toEqual(random);
    expect(await trained("random", 6, 8, false)).not.toEqual(random);
    expect(new Set(random.map((each) => JSON.stringify(each))).size).toBe(6);
  }, 240_000);

  it("goes on where ranges, choices and the number of trials have changed", async () => {
    fleet = new SweepFleet([machine], { space, sampler: "tpe", trials: 2, seed: 1 });
    await fleet.place();
    for (const value of [1, 2]) await tell(await given(), "complete", value);
    const changed = {
      lr: { low: 0.5, high: 1 },
      layers: { low: 7, high: 8, int: true },
      optimizer: { choices: ['"lion"'] },
    };
    await fleet.place({ space: changed, trials: 3 });
    const { number, params } = await given();
    expect({ number, ...params }).toMatchObject({ number: 2, optimizer: "lion" });
    expect(Number(params.lr)).toBeGreaterThanOrEqual(0.5);
    expect([7, 8]).toContain(params.layers);
    expect((await fleet.summary()).trials.map((trial) => Object.keys(trial.params).sort())).toEqual(
      Array.from({ length: 3 }, () => ["layers", "lr", "optimizer"]),
    );
  });
});

describe("the study", () => {
  it("queues values that come, withdraws those that go, and keeps a trial's number", async () => {
    fleet = new SweepFleet([machine], { points: points("1", "2", "3") });
    await fleet.place();
    await fleet.place();
    const first = await given();
    expect(first).toMatchObject({ number: 0, params: { lr: 1 }, attempt: 1 });
    await fleet.place({ points: points("2", "4", "1.0") });
    const states = async () =>
      (await fleet.summary()).trials.map(({ params, state }) => [JSON.stringify(params.lr), state]);
    expect(await states()).toEqual([
      ["1", "running"],
      ["2", "queued"],
      ["3", "withdrawn"],
      ["4", "queued"],
    ]);
    await fleet.place({ points: points("1", "3") });
    expect(await given()).toMatchObject({ number: 2, params: { lr: 3 } });
    expect(await fleet.place({ direction: "maximize" })).toMatch(
      /the direction of a sweep that has begun can't change/,
    );
  });

  it("gives a trial to another machine whose own says nothing, and has that one stop when it speaks again", async () => {
    fleet = new SweepFleet([machine], { points: points("1"), leaseSeconds: 1 });
    await fleet.place();
    const first = await given("machine-2");
    expect(await beat([first], [[1, 0.5]], "machine-2")).toMatchObject({ prune: [], stop: [] });
    expect(await fleet.ask({ op: "ask", machine: "machine-3", have: [] })).not.toHaveProperty("ok.trial");
    await new Promise((resolve) => setTimeout(resolve, 1200));
    const second = await given("machine-3");
    expect(second).toMatchObject({ number: 0, attempt: 2 });
    expect(await beat([first], [], "machine-2")).toMatchObject({ stop: [0] });
    // What the lost attempt had told isn't told twice.
    await beat(
      [second],
      [
        [1, 9],
        [2, 0.4],
      ],
      "machine-3",
    );
    expect(await tell(first, "failed", undefined, {}, "machine-2")).toBe(false);
    expect(await tell(second, "complete", 0.4, {}, "machine-3")).toBe(true);
    expect(await tell(second, "complete", 0.4, {}, "machine-3")).toBe(true);
    expect(await tell(first, "complete", 0.7, {}, "machine-2")).toBe(false);
    expect(await fleet.summary()).toMatchObject({
      trials: [
        {
          state: "complete",
          value: 0.4,
          machine: "machine-3",
          lost: 1,
          failures: 0,
          values: [
            [1, 0.5],
            [2, 0.4],
          ],
        },
      ],
    });
  });

  it("takes the result of a machine that was out of reach, though the trial was given to another", async () => {
    fleet = new SweepFleet([machine], { points: points("1"), leaseSeconds: 1 });
    await fleet.place();
    const first = await given("machine-2");
    await new Promise((resolve) => setTimeout(resolve, 1200));
    const second = await given("machine-3");
    expect(await tell(first, "complete", 0.3, {}, "machine-2")).toBe(true);
    expect(await beat([second], [], "machine-3")).toMatchObject({ stop: [0] });
    expect((await fleet.summary()).trials).toMatchObject([{ state: "complete", value: 0.3, machine: "machine-2" }]);
  });

  it("counts a failure once, however often it is told", async () => {
    fleet = new SweepFleet([machine], { points: points("1") });
    await fleet.place();
    const first = await given();
    expect([await tell(first, "failed"), await tell(first, "failed"), await tell(first, "failed")]).toEqual([
      true,
      false,
      false,
    ]);
    expect((await fleet.summary()).trials).toMatchObject([{ state: "queued", failures: 1 }]);
    await killServer();
    const second = await given();
    expect(second.attempt).toBe(2);
    await tell(second, "failed");
    expect((await fleet.summary()).trials).toMatchObject([{ state: "failed", failures: 2 }]);
  });

  it("gives up on a trial that costs one machine after the other", async () => {
    fleet = new SweepFleet([machine], { points: points("1") });
    await fleet.place();
    for (let at = 1; at <= 6; at++) {
      await given(`machine-${at}`);
      await fleet.place({}, { home: [], lost: [`machine-${at}`] });
    }
    const { trials } = await fleet.summary();
    expect(trials).toMatchObject([{ state: "failed", reason: "the machines that ran it were lost 5 times" }]);
  });

  it("moves to another machine from its copy, which learns what the copy had not seen", async () => {
    fleet = new SweepFleet([machine, "machine-2"], { points: points("1", "2", "3") });
    await fleet.place();
    const first = await given("machine-2");
    const { journal } = await beat([first], [[1, 0.5]], "machine-2");
    const second = await given("machine-2");
    await tell(first, "complete", 0.5, {}, "machine-2");
    await tell(second, "failed", undefined, {}, "machine-2");
    const other = fleet.machine("machine-2");
    const { writeFileSync } = await import("node:fs");
    writeFileSync(`${other.home}/brought`, `${journal}{"cut`);
    const document = { experiment: "exp", file: `${other.home}/brought`, epoch: "1-0000" };
    const adopted = JSON.parse(await other.call({ verb: "study-adopt", document })) as { bytes: number; epoch: string };
    expect(adopted).toMatchObject({ adopted: true, bytes: journal.length, epoch: expect.stringMatching(/^2-/) });
    expect(JSON.parse(await other.call({ verb: "study-adopt", document }))).toMatchObject({ adopted: false });
    fleet.study = "machine-2";
    expect(await tell(first, "complete", 0.5, {}, "machine-2")).toBe(true);
    expect(await tell(second, "failed", undefined, {}, "machine-2")).toBe(true);
    expect((await fleet.summary()).trials).toMatchObject([
      { state: "complete", value: 0.5, values: [[1, 0.5]] },
      { state: "queued", attempt: 1, failures: 1, params: { lr: 2 } },
      { state: "queued", attempt: 0 },
    ]);
  });

  it("moves to a machine on which its process runs already, as a worker there has asked before", async () => {
    fleet = new SweepFleet([machine, "machine-2"], { points: points("1", "2") });
    await fleet.place();
    const { journal } = await beat([await given("machine-2")], [[1, 0.5]], "machine-2");
    const other = fleet.machine("machine-2");
    const { writeFileSync } = await import("node:fs");
    writeFileSync(`${other.home}/brought`, journal);
    fleet.study = "machine-2";
    expect(await fleet.ask({ op: "summary" })).toEqual({ error: expect.stringContaining("there is no study yet") });
    const document = { experiment: "exp", file: `${other.home}/brought`, epoch: "1-0000" };
    const { epoch } = JSON.parse(await other.call({ verb: "study-adopt", document })) as { epoch: string };
    expect(await fleet.place()).toBe(1);
    expect(await fleet.ask({ op: "summary" })).toMatchObject({ ok: { epoch } });
  });

  it("takes a trial for complete whose results are at home, though its machine was lost before it could tell", async () => {
    fleet = new SweepFleet([machine], { points: points("1", "2") });
    await fleet.place();
    const first = await given("machine-2");
    await given("machine-3");
    const known = {
      home: [0],
      lost: ["machine-2", "machine-3"],
      trained: [{ number: 0, params: first.params, value: 0.5 }],
    };
    expect(await fleet.place({}, known)).toBe(1);
    expect((await fleet.summary()).trials).toMatchObject([
      { state: "complete", value: 0.5, lost: 0 },
      { state: "queued", lost: 1 },
    ]);
  });

  it("that was lost with all its copies learns from home what was trained", async () => {
    fleet = new SweepFleet([machine], { points: points("3", "2.0", "1") });
    const trained = [
      { number: 1, params: { lr: 2 }, value: 0.5 },
      { number: 3, params: { lr: 3 } },
    ];
    for (let times = 0; times < 2; times++) await fleet.place({}, { home: [1, 3], lost: [], trained });
    expect((await fleet.summary()).trials).toMatchObject([
      { state: "withdrawn" },
      { state: "complete", params: { lr: 2 }, value: 0.5 },
      { state: "withdrawn" },
      { state: "complete", params: { lr: 3 }, value: null },
      { number: 4, state: "queued", params: { lr: 1 } },
    ]);
    expect((await fleet.summary()).best).toBe(1);
  });

  it("is its user's alone, and answers what it can't take", async () => {
    fleet = new SweepFleet([machine], { points: points("1") });
    expect(await fleet.ask({ op: "ask", machine, have: [] })).toEqual({ error: "there is no study yet: run `up`" });
    await fleet.place();
    const { statSync } = await import("node:fs");
    expect(statSync(`${fleet.machine(machine).home}/.lambda-train/study/exp/socket`).mode & 0o777).toBe(0o600);
    expect(await fleet.ask({ op: "nothing" })).toEqual({ error: "op must be one of place, ask, beat, tell, summary" });
    for (const number of [-1, 10_000]) {
      const told = {
        op: "beat",
        machine,
        running: [{ number, attempt: 1, params: {}, values: [] }],
        offset: 0,
        epoch: "",
      };
      expect(await fleet.ask(told)).toEqual({ error: `no trial has the number ${number}` });
    }
    expect(await fleet.ask({ op: "ask", machine: 3, have: [] })).toEqual({ error: "machine must be a text" });
  });
});
