import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import type { HandlerContext } from "../../components/dynamic/handler";
import { handler } from "../../components/resources/standing-handler";
import { differences, heldPlan, restartVariable, type StandingPlan, standingOf } from "../../plan/standing";
import type { EvaluationPlan, Job, PlannedRun, RunPlan } from "../../plan/types";
import { ensureAgent } from "../../remote/agent";
import { loseResultsVariable } from "../../remote/results";
import { readStatus, stopRun } from "../../remote/run";
import { datasetStepHash } from "../../remote/scripts";
import { withSession } from "../../remote/session";
import { renderStart } from "../../remote/start";
import { verifyResults } from "../../remote/transfer/download";
import type { RunStatus } from "../../remote/types";
import { standingPlan, testPlan } from "../remote/plan";
import { freePort, startSshd, type TestSshd } from "../support/sshd";

type Inputs = Parameters<typeof handler.create>[0];

describe("what is another in the next plan", () => {
  const dataset = { source: { kind: "folder", path: "data" }, target: "data", splits: ["train"], hash: "d1" } as const;
  const old = testPlan({ dataset });
  const { workload, environment } = old;

  it.each<[string, Partial<Job>, string[]]>([
    ["nothing", {}, []],
    ["a limit", { run: { ...old.run, maxSeconds: 5, graceSeconds: 9 } }, []],
    ["the gate", { gate: { ...old.gate, minDiskGiB: 3 } }, []],
    ["the code's place at home", { workload: { ...workload, folder: "/elsewhere" } }, []],
    ["the code", { workload: { ...workload, hash: "w2" } }, ["the code"]],
    [
      "a rendered configuration",
      { workload: { ...workload, hash: "w2", extraFiles: { a: "b" } }, run: { ...old.run, hash: "r2" } },
      ["the configuration"],
    ],
    ["the command", { run: { ...old.run, hash: "r2" } }, ["the configuration"]],
    ["the data", { dataset: { ...dataset, hash: "d2" } }, ["the dataset"]],
    ["the data's splits", { dataset: { ...dataset, splits: ["test"] } }, ["the dataset"]],
    ["no data any more", { dataset: undefined }, ["the dataset"]],
    ["the environment", { environment: { ...environment, hash: "e2" } }, ["the environment"]],
    ["the workspace", { workload: { ...workload, name: "ink" } }, ["the workspace's name"]],
    ["the outputs", { run: { ...old.run, outputs: "out" } }, ["the outputs' folder"]],
    ["the name", { run: { ...old.run, experiment: "other", hash: "r2" } }, ["the experiment's name (exp, now other)"]],
  ])("for %s", (_name, change, expected) => {
    expect(differences(standingPlan(old), standingPlan({ ...old, ...change }))).toEqual(expected);
  });

  it("stays the old one under a run that goes on, but for limits and what only looks on", () => {
    const dashboard = { command: "make dashboard", port: 1 };
    const changed = testPlan({
      run: { experiment: "other", hash: "r2", command: "false", maxSeconds: 5, waitFor: "end" },
      dashboard,
    });
    const held = heldPlan(standingPlan(old), standingPlan(changed));
    const run = { ...old.run, maxSeconds: 5, waitFor: "end" as const };
    expect(held).toEqual(standingPlan({ ...old, results: changed.results, dashboard, run }));
    expect(differences(standingPlan(old), held)).toEqual([]);
  });

  describe("of a machine with several runs", () => {
    const second = { ...old, name: "second", run: { ...old.run, experiment: "exp-2", hash: "s1" } };
    const both = (one: Job = old, two: Job | undefined = second): StandingPlan => ({
      ...standingPlan(one),
      runs: [one, ...(two === undefined ? [] : [two])].flatMap((job) => standingPlan(job).runs),
    });
    const withHash = (job: Job): Job => ({ ...job, run: { ...job.run, hash: "other" } });

    it("names the run that changes, and one that is not asked for any more; one more changes nothing", () => {
      expect(differences(both(), both(old, withHash(second)))).toEqual(["the configuration of exp-2"]);
      expect(differences(both(), standingPlan(old))).toEqual(["the run exp-2, which is no longer asked for"]);
      expect(differences(standingPlan(old), both())).toEqual([]);
    });

    it("holds each run as it was", () => {
      expect(heldPlan(both(), both(withHash(old), withHash(second)))).toEqual(both());
      expect(heldPlan(both(), standingPlan(old))).toEqual(both());
    });
  });

  it("is nothing from a plan that a release kept which knew one run a machine", () => {
    const { runs, ...rest } = standingPlan(old);
    const [{ run, evaluation, dashboard }] = runs as [PlannedRun];
    expect(standingOf({ ...rest, run, evaluation, dashboard })).toEqual(standingPlan(old));
    expect(standingOf(standingPlan(old))).toEqual(standingPlan(old));
  });
});

/** The plan in force on an instance, against a real sshd. */
describe("what is in force on an instance", { timeout: 60_000 }, () => {
  let sshd: TestSshd;
  let local: string;
  let number = 0;
  const told: string[] = [];
  const context: HandlerContext = {
    config: () => undefined,
    progress: (line) => void told.push(line),
    status: () => {},
    engineAlive: async () => true,
    interrupted: new AbortController().signal,
  };

  beforeAll(async () => {
    sshd = await startSshd();
    await mkdir(join(sshd.home, "work"));
  });
  afterAll(() => sshd?.stop());
  beforeEach(() => {
    local = mkdtempSync(join(tmpdir(), "lambda-train-standing-"));
    told.length = 0;
  });
  afterEach(async () => {
    vi.unstubAllEnvs();
    rmSync(local, { recursive: true, force: true });
  });

  const evaluation: EvaluationPlan = {
    command: 'echo "{\\"data\\": \\"$(cat ~/work/data.txt)\\"}" > "$(dirname {checkpoint})/../eval.json"',
    checkpoint: "checkpoints/best*",
    metrics: "*eval*.json",
    timeoutSeconds: 20,
  };
  const endless =
    "out=outputs/$LAMBDA_TRAIN_RUN; mkdir -p $out/checkpoints; trap 'echo 7 > $out/checkpoints/best.pt; exit 143' TERM; " +
    "echo step 1; while true; do sleep 0.1; done";
  const quick = "out=outputs/$LAMBDA_TRAIN_RUN; mkdir -p $out; echo 1 > $out/result; echo step 1";

  const planOf = (command: string, run: Partial<RunPlan> = {}): Job => {
    const experiment = `standing-${process.pid}-${++number}`;
    const results = { directory: join(local, "results") };
    return testPlan({ evaluation, results, run: { experiment, command, ...run } });
  };
  const inputsOf = (plan: Job, change: Partial<Inputs> = {}): Inputs => ({
    instanceId: "i1",
    access: sshd.access,
    onChange: "wait",
    plan: standingPlan(plan),
    ...change,
  });
  const withCode = (plan: Job, hash = "w2"): Job => ({ ...plan, workload: { ...plan.workload, hash } });
  const withHash = (plan: Job, hash = "r2"): Job => ({ ...plan, run: { ...plan.run, hash } });
  const update = (old: Job, next: Inputs): Promise<Inputs> =>
    handler.update?.("i1", inputsOf(old), next, context) ?? Promise.reject();
  const status = ({ run }: Job): Promise<RunStatus> =>
    withSession(sshd.access, (session) => readStatus(session, run.experiment));
  const home = ({ run }: Job, ...path: string[]): string => join(local, "results", run.experiment, ...path);
  const start = async (plan: Job, state: RunStatus["state"]): Promise<void> => {
    writeFileSync(join(sshd.home, "work/data.txt"), "old");
    await withSession(sshd.access, async (session) => {
      await ensureAgent(session);
      await session.run("bash -s", "start", { stdin: renderStart(plan) });
    });
    for (let left = 200; (await status(plan)).state !== state; left -= 1) {
      if (left === 0) throw new Error(`It never was ${state}.`);
      await sleep(100);
    }
  };
  const stop = (plan: Job): Promise<RunStatus> =>
    stopRun(sshd.access, plan.run, { reason: "user", graceSeconds: plan.run.graceSeconds });

  it("stays the old plan while a run goes on, with what waits told", async () => {
    const plan = planOf(endless);
    await start(plan, "running");
    const next = testPlan({ ...withCode(withHash(plan)), run: { ...withHash(plan).run, maxSeconds: 900 } });
    const outs = await update(plan, inputsOf(next));
    expect(outs).toEqual(inputsOf({ ...plan, run: { ...plan.run, maxSeconds: 900 } }));
    expect(outs.plan).toMatchObject({ workload: plan.workload, runs: [{ run: { hash: "r1", maxSeconds: 900 } }] });
    expect(told.join("\n")).toContain(
      `${plan.run.experiment} is running, so these changes wait: the code, the configuration.`,
    );
    // Later too: the difference is still there.
    expect(await handler.diff("i1", outs, inputsOf(next), context)).toMatchObject({ changes: true });
    expect((await handler.update?.("i1", outs, inputsOf(next), context))?.plan).toEqual(outs.plan);
    expect((await status(plan)).state).toBe("running");
    await stop(plan);
  });

  it("is the new plan without a look where nothing that a run stands on is another", async () => {
    const plan = planOf(endless);
    const nowhere = { access: { ...sshd.access, port: await freePort() } };
    const next = inputsOf({ ...plan, run: { ...plan.run, maxSeconds: 5 } }, nowhere);
    expect(await update(plan, next)).toEqual(next);
    expect(told).toEqual([]);
    await expect(update(plan, inputsOf(withCode(plan), nowhere))).rejects.toThrow();
  });

  it.each([
    ["train.onChange", { onChange: "restart" as const }, ""],
    [restartVariable, {}, "yes"],
  ])("is the new plan by %s, once the run is stopped, evaluated and at home", async (_name, change, variable) => {
    vi.stubEnv(restartVariable, variable);
    const plan = planOf(endless);
    await start(plan, "running");
    const next = inputsOf(withCode(plan), change);
    // That it was asked for is noted with what it was asked for.
    const restarted = variable === "" ? {} : { restarted: plan.run.hash };
    expect(await update(plan, next)).toEqual({ ...next, ...restarted });
    expect(await status(plan)).toMatchObject({
      state: "stopped",
      stopReason: "restart",
      evaluation: { state: "done" },
    });
    expect(await verifyResults(home(plan))).toMatchObject({ ok: true });
    expect(JSON.parse(readFileSync(home(plan, "eval.json"), "utf8"))).toEqual({ data: "old" });
  });

  it("stops no run whose results home cannot take", async () => {
    const plan = planOf(endless);
    await start(plan, "running");
    writeFileSync(join(local, "results"), "a file where the folder should be");
    await expect(update(plan, inputsOf(withCode(plan), { onChange: "restart" }))).rejects.toThrow(
      /download the results of \S+, so the run keeps running/,
    );
    expect((await status(plan)).state).toBe("running");
    await stop(plan);
  });

  it("brings an ended run home before another configuration writes into its folder", async () => {
    const plan = planOf(quick);
    await start(plan, "finished");
    const next = inputsOf(withHash(plan));
    expect(await update(plan, next)).toEqual(next);
    expect(readFileSync(home(plan, "result"), "utf8")).toBe("1\n");
  });

  it("says so where home cannot take what an ended run has left, and goes on", async () => {
    const plan = planOf(quick);
    await start(plan, "finished");
    writeFileSync(join(local, "results"), "a file where the folder should be");
    const next = inputsOf(withHash(plan));
    expect(await update(plan, next)).toEqual(next);
    expect(told.join("\n")).toContain(`${plan.run.experiment}: couldn't download its results (`);
  });

  it("brings a finished run home that stays so, before the code that it may have written into changes", async () => {
    const plan = planOf(quick);
    await start(plan, "finished");
    const next = inputsOf(withCode(plan));
    expect(await update(plan, next)).toEqual(next);
    expect(readFileSync(home(plan, "result"), "utf8")).toBe("1\n");
    expect((await status(plan)).attempt).toBe(1);
  });

  it("evaluates an ended experiment on its own data before another one comes", async () => {
    const plan = planOf(endless);
    await start(plan, "running");
    await stop(plan);
    const next = inputsOf({ ...plan, run: { ...plan.run, experiment: "another" } });
    vi.stubEnv(loseResultsVariable, plan.run.experiment);
    expect(await update(plan, next)).toEqual(next);
    expect(existsSync(home(plan))).toBe(false);
    vi.stubEnv(loseResultsVariable, undefined);
    expect(await update(plan, next)).toEqual(next);
    expect(JSON.parse(readFileSync(home(plan, "eval.json"), "utf8"))).toEqual({ data: "old" });
  });

  describe("of which the state knows nothing", () => {
    const dataset = {
      source: { kind: "folder", path: "data" },
      target: "data",
      splits: ["train"],
      hash: "d1",
    } as const;
    const fact = async (path: string, text: string): Promise<void> => {
      const file = join(sshd.home, ".lambda-train", path);
      await mkdir(join(file, ".."), { recursive: true });
      writeFileSync(file, text);
    };
    const create = (plan: Job): Promise<unknown> => handler.create(inputsOf(plan), context);

    beforeAll(async () => {
      await fact("manifests/work.json", '{"root": "work", "hash": "w", "files": {}}');
      await fact("steps/dataset/hash", `${datasetStepHash(dataset)}\n`);
      await fact("steps/setup/hash", "e1\n");
    });

    // Each look reads the status of every experiment that the tests above have left there.
    it("is the plan, where a run goes on on the same; any other is refused with what would change", {
      timeout: 180_000,
    }, async () => {
      const plan: Job = { ...planOf(endless), dataset };
      await start(plan, "running");
      expect(await create(plan)).toEqual({ id: "i1", outs: inputsOf(plan) });
      for (const [words, other] of [
        ["the code would", withCode(plan)],
        ["the configuration would", withHash(plan)],
        ["the dataset would", { ...plan, dataset: { ...dataset, hash: "d2" } }],
        ["the dataset would", { ...plan, dataset: undefined }],
        ["the environment would", { ...plan, environment: { ...plan.environment, hash: "e2" } }],
        ["the experiment's name (now b) would", { ...plan, run: { ...plan.run, experiment: "b" } }],
      ] as const) {
        await expect(create(other), words).rejects.toThrow(
          `${plan.run.experiment} still runs on instance i1, and ${words} change under it. Nothing was changed.`,
        );
      }
      await stop(plan);
      expect(await create(withCode(plan))).toMatchObject({ id: "i1" });
    });

    it("is the plan, once an ended run of another configuration is home", async () => {
      const plan: Job = { ...planOf(quick), dataset };
      await start(plan, "finished");
      await create(plan);
      expect(existsSync(home(plan))).toBe(false);
      await create(withHash(plan));
      expect(readFileSync(home(plan, "result"), "utf8")).toBe("1\n");
    });
  });
});
