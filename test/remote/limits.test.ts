import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { RunPlan } from "../../plan/types";
import { ensureAgent } from "../../remote/agent";
import { tellTime } from "../../remote/clock";
import { readStatus, stopRun } from "../../remote/run";
import { SshSession } from "../../remote/session";
import { renderStart } from "../../remote/start";
import type { RunStatus } from "../../remote/types";
import { waitForEnd } from "../../remote/waiting";
import { startSshd, type TestSshd } from "../support/sshd";
import { testPlan } from "./plan";

/** Limits that end a run on the instance itself, as a clean stop would. */
describe("limits on the instance", { timeout: 60_000 }, () => {
  let sshd: TestSshd;
  let session: SshSession;
  let number = 0;

  beforeAll(async () => {
    sshd = await startSshd();
    session = await SshSession.connect(sshd.access);
    await ensureAgent(session);
    await mkdir(join(sshd.home, "work"));
  });
  afterEach(() => rm(join(sshd.bin, "nvidia-smi"), { force: true }));
  afterAll(async () => {
    session?.close();
    await sshd?.stop();
  });

  const planOf = (command: string, run: Partial<RunPlan> = {}): ReturnType<typeof testPlan> =>
    testPlan({ run: { experiment: `limited-${process.pid}-${++number}`, command, ...run } });
  const start = async (
    plan: ReturnType<typeof testPlan>,
    spentAt?: number,
  ): Promise<{ code: number; said: string }> => {
    const stdin = renderStart(plan, { spentAt });
    const { code, stdout, stderr } = await session.exec("bash -s", { stdin, timeoutSeconds: 30 });
    return { code, said: stdout + stderr };
  };
  const ended = (plan: ReturnType<typeof testPlan>): Promise<RunStatus> =>
    waitForEnd(sshd.access, plan.run, { timeoutSeconds: 25 });
  const stop = (plan: ReturnType<typeof testPlan>): Promise<RunStatus> =>
    stopRun(sshd.access, plan.run, { reason: "test", graceSeconds: 1 });
  /** Training that saves at SIGTERM. */
  const saving = (name: string, loop: string): string =>
    `exec python3 -uc '
import signal, sys, time
def save(*_):
    open("${name}", "w").close()
    print("saved")
    sys.exit(143)
signal.signal(signal.SIGTERM, save)
print("step 1")
${loop}
'`;
  const silent = "while True: time.sleep(0.1)";
  const talking = 'while True:\n    time.sleep(0.3)\n    print("step")';
  const gpu = (script: string): Promise<void> =>
    writeFile(join(sshd.bin, "nvidia-smi"), `#!/bin/sh\n${script}\n`, { mode: 0o755 });

  it("a budget ends the run with its checkpoint, and does not let it start again until it is raised", async () => {
    const plan = planOf(saving("budget-checkpoint", talking), { graceSeconds: 1 });
    await start(plan, Date.now() + 8000);
    const status = await ended(plan);
    expect(status).toMatchObject({ state: "stopped", stopReason: "budget", exitCode: 143, lastLine: "saved" });
    expect((await session.exec("test -f work/budget-checkpoint")).code).toBe(0);
    expect(await start(plan, Date.now())).toMatchObject({
      code: 4,
      said: expect.stringContaining("Raise budgetDollars"),
    });
    expect((await start(plan, Date.now() + 3_600_000)).said).toContain("started: attempt 2");
    await stop(plan);
  });

  it.each([
    ["ahead of", 7200],
    ["behind", -7200],
  ])("the budget counts by the clock at home, also where the instance's is %s it", async (_, seconds) => {
    const home = (): number => Date.now() - seconds * 1000;
    await tellTime(session, home());
    try {
      const plan = planOf(saving("skewed", talking), { graceSeconds: 1 });
      expect(await start(plan, home() + 8000)).toMatchObject({ code: 0 });
      await sleep(2000);
      expect((await readStatus(session, plan.run.experiment)).state).toBe("running");
      expect(await ended(plan)).toMatchObject({ state: "stopped", stopReason: "budget" });
      expect(await start(plan, home() - 1000)).toMatchObject({ code: 4 });
    } finally {
      await tellTime(session, Date.now());
    }
  });

  it("what a limit ended is evaluated there; what somebody stopped is left to them", async () => {
    const evaluation = {
      command: "sleep 1; cat {checkpoint} >evaluated",
      checkpoint: "best*",
      metrics: "*",
      timeoutSeconds: 20,
    };
    const body =
      'import os\nos.makedirs("outputs/mine", exist_ok=True); open("outputs/mine/best", "w").write("model")\n';
    const runOf = (more: Partial<RunPlan>) =>
      testPlan({
        run: {
          experiment: `evaluated-${process.pid}-${++number}`,
          command: saving("saved", `${body}${silent}`),
          ...more,
        },
        evaluation,
      });
    const limited = runOf({ idleSeconds: 4 });
    await start(limited);
    expect(await ended(limited)).toMatchObject({
      state: "stopped",
      stopReason: "idle",
      evaluation: { state: "done" },
    });
    expect((await session.run("cat work/evaluated", "reading")).trim()).toBe("model");
    const stopped = runOf({});
    await start(stopped);
    await stop(stopped);
    expect(await ended(stopped)).toMatchObject({ state: "stopped", evaluation: { state: "pending" } });
  });

  it("limits that change reach a run that goes on", async () => {
    const plan = planOf(saving("changed", talking));
    await start(plan);
    const spent = await start(plan, Date.now() + 8000);
    expect(spent).toMatchObject({ code: 0, said: expect.stringContaining("already running") });
    expect(await ended(plan)).toMatchObject({ stopReason: "budget" });
  });

  it("a silent log ends the run as idle, with its checkpoint; where nothing limits it, it goes on", async () => {
    const free = planOf(saving("free", silent));
    const limited = planOf(saving("idle-checkpoint", silent), { idleSeconds: 3 });
    await start(free);
    await start(limited);
    expect(await ended(limited)).toMatchObject({ state: "stopped", stopReason: "idle", lastLine: "saved" });
    expect((await session.exec("test -f work/idle-checkpoint")).code).toBe(0);
    expect(await readStatus(session, free.run.experiment)).toMatchObject({ state: "running" });
    await stop(free);
  });

  it("a log that grows keeps the run", async () => {
    const plan = planOf(saving("talks", talking), { idleSeconds: 4 });
    await start(plan);
    await sleep(8000);
    const status = await readStatus(session, plan.run.experiment);
    expect(status.state).toBe("running");
    expect(status.usedSeconds).toBeGreaterThanOrEqual(0);
    expect(status.idleSeconds).toBeLessThan(12);
    await stop(plan);
  });

  it.each([
    ["works", "printf '0\\n37\\n'"],
    ["cannot be asked", "exit 9"],
    ["does not tell", "echo '[N/A]'"],
  ])("a silent log alone is no reason where a GPU %s", async (_, script) => {
    await gpu(script);
    const plan = planOf(saving("gpu", silent), { idleSeconds: 1 });
    await start(plan);
    await sleep(4000);
    expect((await readStatus(session, plan.run.experiment)).state).toBe("running");
    await gpu("printf '0\\n0\\n'");
    expect(await ended(plan)).toMatchObject({ stopReason: "idle" });
  });
});
