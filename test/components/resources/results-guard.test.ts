import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { handler } from "../../../components/resources/results-handler";
import { publicKeyOf } from "../../../lambda/account/ed25519";
import { connectCloud } from "../../../lambda/api/connect";
import type { EvaluationPlan, Job, RunPlan } from "../../../plan/types";
import { ensureAgent } from "../../../remote/agent";
import { loseResultsVariable } from "../../../remote/results";
import { readStatus } from "../../../remote/run";
import { withSession } from "../../../remote/session";
import { renderStart } from "../../../remote/start";
import { verifyResults } from "../../../remote/transfer/download";
import type { RunStatus } from "../../../remote/types";
import { FakeCloud } from "../../lambda/fake-cloud";
import { testPlan } from "../../remote/plan";
import { freePort, processesWith, startSshd, type TestSshd } from "../../support/sshd";
import { Emulated } from "./emulated";

// The looks at a cloud whose clock is ours would take half a minute.
vi.mock("../../../lambda/life/young", async (original) => ({
  ...(await original<typeof import("../../../lambda/life/young")>()),
  pauseBetweenLooksSeconds: 0.2,
}));

type Props = Parameters<NonNullable<typeof handler.delete>>[1];

/** Bringing results home, and what happens when that fails: against a real sshd and the emulated cloud's API. */
describe("a guard of results", { timeout: 60_000 }, () => {
  let sshd: TestSshd;
  let lambda: Emulated;
  let instanceId: string;
  let local: string;
  let number = 0;

  beforeAll(async () => {
    sshd = await startSshd();
    await mkdir(join(sshd.home, "work"));
    lambda = await Emulated.start();
    const { client } = connectCloud("emulated");
    await client.addSshKey({ name: "key", publicKey: sshd.access.hostKey });
    instanceId = await client.launch({
      name: "box",
      region: "us-east-1",
      instanceType: "cpu_4x_general",
      sshKeyName: "key",
    });
  });
  afterAll(async () => {
    await lambda?.stop();
    await sshd?.stop();
  });
  beforeEach(() => {
    local = mkdtempSync(join(tmpdir(), "lambda-train-results-"));
    lambda.told.length = 0;
    lambda.doing.length = 0;
  });
  afterEach(() => {
    vi.stubEnv(loseResultsVariable, undefined);
    rmSync(local, { recursive: true, force: true });
  });

  const evaluation: EvaluationPlan = {
    command: 'echo "{\\"score\\": $(cat {checkpoint})}" > "$(dirname {checkpoint})/../eval.json"',
    checkpoint: "checkpoints/best*",
    metrics: "*eval*.json",
    timeoutSeconds: 20,
  };

  /** A run whose experiment no other test has. Its training writes into `$out`, its own output folder. */
  const planOf = (
    command: string,
    changes: { evaluation?: EvaluationPlan; run?: Partial<RunPlan> } = {},
    out = "out=outputs/$LAMBDA_TRAIN_RUN; mkdir -p $out/checkpoints;",
  ): Job => {
    // Runs are told by their name on the whole machine, and other tests have runs too.
    const experiment = `guarded-${process.pid}-${++number}`;
    return testPlan({ ...changes, run: { experiment, command: `${out} ${command}`, ...changes.run } });
  };
  /** Trains until it is told to stop; writes its best checkpoint when it is. */
  const endless = `trap 'echo 7 > $out/checkpoints/best.pt; exit 143' TERM; echo step 1; while true; do sleep 0.1; done`;

  const propsOf = (plan: Job, change: Partial<Props> = {}): Props => ({
    instanceId,
    access: sshd.access,
    endpoint: "emulated",
    run: plan.run,
    evaluation: plan.evaluation,
    workspace: "work",
    directory: join(local, "results"),
    folder: join(local, "results", plan.run.experiment),
    ...change,
  });
  const remove = async (props: Props): Promise<void> => handler.delete?.("id", props, lambda.context);
  const failure = async (props: Props): Promise<string> => {
    const error: unknown = await remove(props).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(Error);
    return (error as Error).message;
  };
  const status = ({ run }: Job): Promise<RunStatus> =>
    withSession(sshd.access, (session) => readStatus(session, run.experiment));
  const until = async (so: () => Promise<boolean>, what: string): Promise<void> => {
    const deadline = Date.now() + 20_000;
    while (!(await so())) {
      if (Date.now() > deadline) throw new Error(`It never came to that: ${what}`);
      await sleep(100);
    }
  };
  /** Starts a run and waits for a state of it. */
  const start = async (plan: Job, state: RunStatus["state"]): Promise<void> => {
    await withSession(sshd.access, async (session) => {
      await ensureAgent(session);
      await session.run("bash -s", "starting the run", { stdin: renderStart(plan) });
    });
    await until(async () => (await status(plan)).state === state, `the run is ${state}`);
  };
  /** Ends supervisor and training as a power cut does: neither writes anything down. */
  const powerOff = async ({ run: { experiment } }: Job): Promise<void> => {
    const state = JSON.parse(readFileSync(join(sshd.home, ".lambda-train/runs", experiment, "state.json"), "utf8"));
    for (const fact of ["supervisor", "launcher"]) {
      process.kill(Number(state.attempts["1"][fact].split(" ")[0]), "SIGKILL");
    }
    const ours = new Set(await processesWith(`HOME=${sshd.home}`));
    const training = await processesWith(`LAMBDA_TRAIN_RUN=${experiment}`);
    for (const pid of training.filter((each) => ours.has(each))) process.kill(pid, "SIGKILL");
  };
  const unreachable = async (): Promise<Partial<Props>> => ({ access: { ...sshd.access, port: await freePort() } });

  it("stops a run that goes on, evaluates what it has reached, and brings everything home, verified", async () => {
    const plan = planOf(endless, { evaluation });
    await start(plan, "running");
    const props = propsOf(plan);
    await remove(props);
    expect(await verifyResults(props.folder)).toMatchObject({ ok: true });
    expect(readFileSync(join(props.folder, "checkpoints/best.pt"), "utf8")).toBe("7\n");
    expect(JSON.parse(readFileSync(join(props.folder, "eval.json"), "utf8"))).toEqual({ score: 7 });
    expect(readFileSync(join(props.folder, "run/train.log"), "utf8")).toContain("step 1");
    expect(await status(plan)).toMatchObject({
      state: "stopped",
      stopReason: "destroy",
      evaluation: { state: "done" },
    });
    expect(lambda.told.join("\n")).toMatch(/stopping the run, 5 s[\s\S]*verified in/);
    expect(lambda.doing.join("\n")).toMatch(
      /stopping: 5 s left[\s\S]*evaluating[\s\S]*downloading: [\s\S]*putting into place/,
    );
  });

  it("does to a run that has ended and was evaluated nothing but bring it home", async () => {
    const plan = planOf("echo 3 > $out/checkpoints/best.pt; echo step 1", { evaluation });
    await start(plan, "finished");
    const props = propsOf(plan);
    await remove(props);
    expect([...lambda.told, ...lambda.doing].join("\n")).not.toMatch(/stopping|evaluating/);
    expect(JSON.parse(readFileSync(join(props.folder, "eval.json"), "utf8"))).toEqual({ score: 3 });
    // A destroy that was interrupted afterwards comes here again.
    await remove(props);
    expect(await verifyResults(props.folder)).toMatchObject({ ok: true });
  });

  it("brings home what a crashed run has left, although there is nothing to evaluate", async () => {
    const plan = planOf("echo part > $out/log; echo 'out of memory'; exit 1", { evaluation });
    await start(plan, "failed");
    const props = propsOf(plan);
    await remove(props);
    expect(readFileSync(join(props.folder, "log"), "utf8")).toBe("part\n");
    expect(readFileSync(join(props.folder, "run/train.log"), "utf8")).toContain("out of memory");
    expect(readFileSync(join(props.folder, "run/evaluate.log"), "utf8")).toContain("No checkpoint matches");
    expect(lambda.told.join("\n")).toContain("evaluation failed with status 66; its log is among the results");
  });

  it("evaluates once more what failed to be evaluated, unless that took all of its time", async () => {
    const command = "echo 3 > $out/checkpoints/best.pt; echo step 1";
    const failing = { ...evaluation, command: "echo tried >&2; exit 9" };
    const plan = planOf(command, { evaluation: failing });
    await start(plan, "finished");
    expect((await status(plan)).evaluation).toEqual({ state: "failed", exitCode: 9 });
    const props = propsOf(plan, { evaluation });
    await remove(props);
    expect(JSON.parse(readFileSync(join(props.folder, "eval.json"), "utf8"))).toEqual({ score: 3 });
    expect((await status(plan)).evaluation).toEqual({ state: "done", exitCode: 0 });

    const slow = planOf(command, { evaluation: { ...evaluation, command: "echo tried; sleep 30", timeoutSeconds: 1 } });
    await start(slow, "finished");
    await remove(propsOf(slow));
    const log = readFileSync(join(propsOf(slow).folder, "run/evaluate.log"), "utf8");
    expect(log.match(/^tried$/gm)).toHaveLength(1);
  });

  it("passes where the run was never started", async () => {
    const props = propsOf(planOf("true"));
    await remove(props);
    expect(lambda.told).toEqual([`${props.run.experiment} was never started, so there are no results`]);
    expect(existsSync(props.folder)).toBe(false);
  });

  it("lets nothing end an instance that lives and cannot be reached, and says what to do", async () => {
    const props = propsOf(planOf("true"), await unreachable());
    const message = await failure(props);
    expect(message).toContain(`Couldn't download the results of ${props.run.experiment}`);
    expect(message).toContain(`instance ${instanceId} keeps running and billing`);
    expect(message).toContain(`127.0.0.1:${props.access.port}`);
    expect(message).toContain("`npm run results`");
    expect(message).toContain("`npm run down -- --lose-results`");
    expect(message).toContain(`${loseResultsVariable}=${props.run.experiment}`);
    expect(message).not.toContain("PRIVATE KEY");
  });

  it("keeps the instance while the results have no place at home, and is done once they have", async () => {
    const plan = planOf("echo 3 > $out/checkpoints/best.pt; echo step 1");
    await start(plan, "finished");
    const props = propsOf(plan);
    writeFileSync(join(local, "results"), "a file where the folder should be");
    expect(await failure(props)).toContain("keeps running and billing");
    rmSync(join(local, "results"));
    await remove(props);
    expect(await verifyResults(props.folder)).toMatchObject({ ok: true });
  });

  it("keeps the instance when a machine with another host key answers at its address", async () => {
    const other = await startSshd();
    try {
      const { host, port } = other.access;
      expect(await failure(propsOf(planOf("true"), { access: { ...sshd.access, host, port } }))).toContain("host key");
    } finally {
      await other.stop();
    }
  });

  it("passes where the instance is gone, and says what is lost", async () => {
    const props = propsOf(planOf("true"), { ...(await unreachable()), instanceId: "0".repeat(32) });
    await remove(props);
    expect(lambda.told.join("\n")).toContain(
      `instance ${props.instanceId} is gone; only the results downloaded before remain`,
    );
  });

  it("takes an API that does not answer for no news of the instance's end", async () => {
    await lambda.fault("listInstances", { answer: "server-error" }, 100);
    const props = propsOf(planOf("true"), { ...(await unreachable()), instanceId: "0".repeat(32) });
    expect(await failure(props)).toContain("keeps running and billing");
    await lambda.admin.removeAllFaults();
    await remove(props);
  });

  it("gives results up only when the user names their experiment", async () => {
    const plan = planOf(endless);
    await start(plan, "running");
    const props = propsOf(plan, await unreachable());
    for (const value of ["1", "true", "", `${props.run.experiment}x`]) {
      vi.stubEnv(loseResultsVariable, value);
      expect(await failure(props), value).toContain("Couldn't download the results");
    }
    vi.stubEnv(loseResultsVariable, props.run.experiment);
    await remove(props);
    expect(lambda.told.join("\n")).toContain(
      `results given up, as asked for by --lose-results or ${loseResultsVariable}`,
    );
    expect((await status(plan)).state).toBe("running");
    expect(existsSync(props.folder)).toBe(false);
  });

  it("gives up only what can't come home", async () => {
    const plan = planOf("echo 3 > $out/checkpoints/best.pt; echo step 1");
    await start(plan, "finished");
    const props = propsOf(plan);
    vi.stubEnv(loseResultsVariable, props.run.experiment);
    await remove(props);
    expect(await verifyResults(props.folder)).toMatchObject({ ok: true });
    expect(lambda.told.join("\n")).not.toContain("given up");
  });

  describe("asks the API when the instance cannot be reached", () => {
    let api: FakeCloud;
    beforeEach(async () => {
      api = await FakeCloud.start();
      vi.stubEnv("LAMBDA_API_KEY", api.apiKey);
    });
    afterEach(() => api.stop());
    const lost = async (id: string): Promise<Props> =>
      propsOf(planOf("true"), { ...(await unreachable()), endpoint: api.url, instanceId: id });

    it.each(["terminating", "preempted"])("and passes where it is %s", async (ending) => {
      const { id } = api.addInstance({ status: ending });
      await remove(await lost(id));
      expect(lambda.told.join("\n")).toContain(`instance ${id} is gone`);
    });

    it.each(["active", "unhealthy"])("and does not where it is %s", async (living) => {
      const { id } = api.addInstance({ status: living });
      expect(await failure(await lost(id))).toContain(`instance ${id} keeps running and billing`);
    });

    it("and does not take a key of another workspace, which sees nothing of ours, for its end", async () => {
      const props = await lost("0".repeat(32));
      expect(await failure(props)).toContain("keeps running and billing");
      api.sshKeys.set("1", { id: "1", name: "ours", public_key: `${publicKeyOf(sshd.access.privateKey)} comment` });
      await remove(props);
      expect(lambda.told.join("\n")).toContain("is gone");
    });
  });

  describe("finds outputs that the workload put elsewhere", () => {
    const [name, elsewhere] = ["best.pt", "out=outputs/$LAMBDA_TRAIN_RUN-v1; mkdir -p $out;"];

    it("under another name than the experiment's", async () => {
      const plan = planOf(`${elsewhere} echo 1 > $out/${name}; echo step 1`, {}, "");
      await start(plan, "finished");
      const props = propsOf(plan);
      await remove(props);
      expect(existsSync(join(props.folder, name))).toBe(true);
    });

    it("in no folder of its own", async () => {
      const plan = planOf(`mkdir -p outputs; echo 1 > outputs/${name}; echo step 1`, { run: { outputs: "mine" } }, "");
      const { run } = plan;
      const own = { ...plan, run: { ...run, command: run.command.replaceAll("outputs", "mine") } };
      await start(own, "finished");
      const props = propsOf(own);
      await remove(props);
      expect(existsSync(join(props.folder, name))).toBe(true);
    });

    it("in a folder whose name tells something, such as a date: the name is kept, and what links there say", async () => {
      const dated = `out=mine/2026-01-31/run; mkdir -p $out; echo 1 > $out/${name}; ln -s run/${name} mine/2026-01-31/latest`;
      const plan = planOf(`${dated}; echo step 1`, { run: { outputs: "mine" } }, "");
      await start(plan, "finished");
      const props = propsOf(plan);
      await remove(props);
      expect(readFileSync(join(props.folder, "2026-01-31/run", name), "utf8")).toBe("1\n");
      expect(readFileSync(join(props.folder, "2026-01-31/latest"), "utf8")).toBe("1\n");
      expect(await verifyResults(props.folder)).toMatchObject({ ok: true });
    });

    it("when the machine went down before training ended", async () => {
      const plan = planOf(`${elsewhere} echo 1 > $out/${name}; echo step 1; sleep 60`, {}, "");
      await start(plan, "running");
      await until(async () => (await status(plan)).outputPath !== undefined, "its outputs were found");
      await powerOff(plan);
      await until(async () => (await status(plan)).state === "failed", "it was found failed");
      const props = propsOf(plan);
      await remove(props);
      expect(existsSync(join(props.folder, name))).toBe(true);
    });

    it("when a later attempt failed before it wrote anything", async () => {
      const once = `${elsewhere} if [ -f $out/${name} ]; then exit 1; fi; echo 1 > $out/${name}; echo step 1; exit 1`;
      const plan = planOf(once, {}, "");
      await start(plan, "failed");
      await start(plan, "failed");
      expect(await status(plan)).toMatchObject({ attempt: 2 });
      const props = propsOf(plan);
      await remove(props);
      expect(existsSync(join(props.folder, name))).toBe(true);
    });
  });
});
