import { mkdir, readFile, stat, writeFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { stopRun } from "../../remote/run";
import { RunHost } from "./run-host";
import { useScriptHost } from "./script-host";

const host = useScriptHost();
const runs = new RunHost(host);

const trainer = `
import os, signal, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import signal, time; signal.signal(signal.SIGTERM, lambda *a: print('CHILD GOT TERM', flush=True)); time.sleep(60)"])
stopping = []
signal.signal(signal.SIGTERM, lambda *a: stopping.append(1))
print("step 1 loss 3", flush=True)
while not stopping:
    time.sleep(0.05)
time.sleep(0.5)
print("terms:", len(stopping), "child alive:", child.poll() is None, flush=True)
open("checkpoint", "w").write("saved")
child.kill()
`;

describe("a clean stop", () => {
  it("gives the training program one TERM and time, holds make and shells, spares its children", async () => {
    await writeFile(host.home("work/trainer.py"), trainer);
    await writeFile(
      host.home("work/Makefile"),
      "train:\n\tpython3 trainer.py | tee copy.log\n\techo NEXT COMMAND; touch next\n",
    );
    const plan = runs.plan("make train");
    await runs.start(plan);
    await runs.until(plan, "running");
    const stopped = await stopRun(host.sshd.access, plan.run, { reason: "destroy", graceSeconds: 10 });
    expect(stopped).toMatchObject({ state: "stopped", stopReason: "destroy" });
    const log = await readFile(stopped.logPath, "utf8");
    expect(log).toContain("terms: 1 child alive: True");
    expect(log).not.toContain("CHILD GOT TERM");
    expect(await readFile(host.home("work/checkpoint"), "utf8")).toBe("saved");
    await expect(stat(host.home("work/next"))).rejects.toThrow("ENOENT");
    // Stopping what is stopped changes nothing.
    expect((await stopRun(host.sshd.access, plan.run, { reason: "again", graceSeconds: 1 })).stopReason).toBe(
      "destroy",
    );
  });

  it("kills what does not listen, in sessions of its own too", async () => {
    const plan = runs.plan(
      "trap '' TERM; setsid sleep 61 & echo step 1; python3 -c 'import signal,time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)'",
    );
    await runs.start(plan);
    await runs.until(plan, "running");
    await stopRun(host.sshd.access, plan.run, { reason: "user", graceSeconds: 1 });
    const left = await host.session.exec(
      `grep -lzxF -e LAMBDA_TRAIN_RUN=${plan.run.experiment} /proc/[0-9]*/environ 2>/dev/null`,
    );
    expect(left.stdout).toBe("");
  });

  it("has its grace by the clock, however many processes there are to look at", async () => {
    const many = "for i in $(seq 60); do sleep 60 & done";
    const plan = runs.plan(
      `${many}; echo step 1; exec python3 -c 'import signal,time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)'`,
    );
    await runs.start(plan);
    await runs.until(plan, "running");
    const began = Date.now();
    await stopRun(host.sshd.access, plan.run, { reason: "user", graceSeconds: 4 });
    expect(Date.now() - began).toBeGreaterThan(4000);
    expect(Date.now() - began).toBeLessThan(16_000);
  });

  it("comes by itself at the time limit, which counts over attempts", async () => {
    const plan = runs.plan("echo step 1; sleep 60", { run: { maxSeconds: 1 } });
    await runs.start(plan);
    const { stopReason, usedSeconds = 0 } = await runs.until(plan, "stopped");
    expect(stopReason).toBe("limit");
    expect(await runs.start(plan)).toMatchObject({ code: 4, said: expect.stringContaining("used up") });
    const more = { ...plan, run: { ...plan.run, maxSeconds: usedSeconds + 2 } };
    expect((await runs.start(more)).said).toContain("attempt 2");
    expect(await runs.until(plan, "stopped")).toMatchObject({ stopReason: "limit", attempt: 2 });
  });

  it("ends a run whose training has not begun, since its environment is being made ready", async () => {
    await mkdir(host.home(".lambda-train"), { recursive: true });
    await writeFile(host.home(".lambda-train/env.sh"), "while :; do sleep 0.1; done\n");
    const plan = runs.plan("touch begun; sleep 60");
    await runs.start(plan);
    const stopped = await stopRun(host.sshd.access, plan.run, { reason: "user", graceSeconds: 1 });
    expect(stopped).toMatchObject({ state: "stopped", stopReason: "user" });
    await expect(stat(host.home("work/begun"))).rejects.toThrow("ENOENT");
  });

  it("is not taken for the end of a run that was never there", async () => {
    expect((await stopRun(host.sshd.access, { experiment: "nobody" }, { reason: "x", graceSeconds: 1 })).state).toBe(
      "absent",
    );
  });
});
