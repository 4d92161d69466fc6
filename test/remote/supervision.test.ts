import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it, vi } from "vitest";
import { followLog } from "../../remote/follow";
import { RunHost } from "./run-host";
import { useScriptHost } from "./script-host";

/** What becomes of a run whose supervisor is killed, as the kernel does it where memory runs out. */
describe("a run whose supervisor is killed", { timeout: 60_000 }, () => {
  const host = useScriptHost();
  const runs = new RunHost(host);
  const evaluation = { checkpoint: "best.pt", metrics: "*.json", timeoutSeconds: 20 };

  it("goes on, tells that it is unsupervised, and is supervised again by the next look", async () => {
    const plan = runs.plan("echo step 1; sleep 60");
    await runs.start(plan);
    await runs.until(plan, "running");
    await runs.kill(plan, "supervisor");
    const { stdout } = await host.ask("status", { experiment: plan.run.experiment });
    expect(JSON.parse(stdout)).toMatchObject({ state: "running", unsupervised: true });
    const status = await runs.status(plan);
    expect(status).toMatchObject({ state: "running", attempt: 1 });
    expect(status.unsupervised).toBeUndefined();
    expect(await runs.stop(plan)).toMatchObject({ state: "stopped", attempt: 1 });
  });

  it("is supervised again by whoever reads its log", async () => {
    const plan = runs.plan("echo step 1; sleep 60");
    await runs.start(plan);
    await runs.until(plan, "running");
    const before = await runs.pid(plan, "supervisor");
    await runs.kill(plan, "supervisor");
    await followLog(host.sshd.access, plan.run.experiment, { once: true, onChunk: () => {} });
    expect(await runs.pid(plan, "supervisor")).not.toBe(before);
    await runs.stop(plan);
  });

  it("is taken up by the next start, with its first step, its real exit status and its evaluation", async () => {
    const out = "outputs/$LAMBDA_TRAIN_RUN";
    const plan = runs.plan(`mkdir -p ${out}; sleep 3; echo step 1; echo x > ${out}/best.pt; sleep 1`, {
      evaluation: { ...evaluation, command: "cp {checkpoint} evaluated" },
    });
    await runs.start(plan);
    await vi.waitFor(() => runs.fact(plan, "launcher"));
    await runs.kill(plan, "supervisor");
    expect(await runs.start(plan)).toMatchObject({
      code: 0,
      said: expect.stringContaining("already running: attempt 1"),
    });
    expect(await runs.until(plan, "finished")).toMatchObject({
      attempt: 1,
      exitCode: 0,
      firstStepLine: "step 1",
      evaluation: { state: "done" },
    });
    expect(await host.text("work/evaluated")).toBe("x\n");
    expect((await runs.log(plan)).match(/attempt 1, started/g)).toHaveLength(1);
  });

  it("that ends meanwhile has its own exit status", async () => {
    const plan = runs.plan("echo step 1; sleep 1.5; exit 7");
    await runs.start(plan);
    await runs.until(plan, "running");
    await runs.kill(plan, "supervisor");
    await sleep(2500);
    expect(await runs.until(plan, "failed")).toMatchObject({ exitCode: 7, attempt: 1 });
  });

  it("counts the time that it was alone for its limit", async () => {
    const plan = runs.plan("echo step 1; sleep 60", { run: { maxSeconds: 5 } });
    await runs.start(plan);
    await runs.until(plan, "running");
    await runs.kill(plan, "supervisor");
    await sleep(5000);
    const { usedSeconds = 0, ...end } = await runs.until(plan, "stopped");
    expect(end).toMatchObject({ stopReason: "limit", attempt: 1 });
    expect(usedSeconds).toBeGreaterThanOrEqual(5);
    expect(usedSeconds).toBeLessThan(20);
  });

  it("and that has no launcher, as an earlier release started it, goes on by its mark", async () => {
    const plan = runs.plan("echo step 1; sleep 60");
    await runs.start(plan);
    await runs.until(plan, "running");
    await runs.kill(plan, "supervisor");
    await runs.kill(plan, "launcher");
    await runs.setFact(plan, "launcher", null);
    expect(await runs.status(plan)).toMatchObject({ state: "running", attempt: 1 });
    const marked = `grep -lzxF LAMBDA_TRAIN_RUN=${plan.run.experiment} /proc/[0-9]*/environ 2>/dev/null | tr -dc '0-9\\n'`;
    await host.session.exec(`kill -KILL $(${marked})`);
    const { exitCode, attempt } = await runs.until(plan, "failed");
    expect({ exitCode, attempt }).toEqual({ exitCode: undefined, attempt: 1 });
    expect((await runs.start(plan)).said).toContain("started: attempt 2");
    await runs.stop(plan);
  });
});
