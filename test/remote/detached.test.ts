import { writeFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { trainingFailed } from "../../remote/run";
import { RunHost } from "./run-host";
import { useScriptHost } from "./script-host";

/** Training that puts itself into the background, and training that only leaves something there. */
describe("a training command that ends with 0", { timeout: 60_000 }, () => {
  const host = useScriptHost();
  const runs = new RunHost(host);
  const silent = "import time\nopen('saved', 'w').write('x')\nwhile True: time.sleep(0.05)";
  const left = async (experiment: string): Promise<string> =>
    (await host.session.exec(`pgrep -f "[m]arker-${experiment}" || true`)).stdout;

  it.each([
    ["nohup", "nohup python3 train.py marker > nohup.out 2>&1 &"],
    ["tmux", 'tmux new-session -d -s mytrain "python3 train.py marker"'],
    ["a session and an environment of its own", "env -i setsid python3 train.py marker > out 2>&1 < /dev/null &"],
    ["&, its steps in the log a moment later", "(sleep 1; echo step 1 loss 2; exec python3 train.py marker) &"],
  ])("and has left its work to %s before any first step has failed, and says so", async (_, command) => {
    const plan = runs.plan("");
    const { experiment } = plan.run;
    await writeFile(host.home("work/train.py"), silent);
    const detached = { ...plan, run: { ...plan.run, command: command.replace("marker", `marker-${experiment}`) } };
    await runs.start(detached);
    const status = await runs.until(detached, "failed");
    expect(status).toMatchObject({ exitCode: 0, detached: expect.stringContaining("python3 train.py") });
    const error = await trainingFailed(host.sshd.access, experiment, status);
    expect(error.message).toMatch(/detached itself.*python3 train\.py.*in the foreground/s);
    expect(await left(experiment)).toBe("");
    // It is no success that a next start would find done.
    expect((await runs.start({ ...plan, run: { ...plan.run, command: "true" } })).said).toContain("started: attempt 2");
    await runs.until(plan, "finished");
  });

  it("and has left work that computes goes on until that is done", async () => {
    await writeFile(
      host.home("work/work.py"),
      "import time\nend = time.time() + 8\nwhile time.time() < end: sum(range(1000))\nopen('exported', 'w').write('x')\n",
    );
    const plan = runs.plan("echo step 1; (setsid env -i python3 work.py > out 2>&1 < /dev/null &); sleep 0.5");
    await runs.start(plan);
    await runs.until(plan, "running");
    await sleep(5000);
    expect((await runs.status(plan)).state).toBe("running");
    expect(await runs.log(plan)).toMatch(/the run goes on until .*python3 work\.py/);
    expect(await runs.until(plan, "finished")).toMatchObject({ exitCode: 0, attempt: 1 });
    expect(await host.text("work/exported")).toBe("x");
  });

  it("and has left work that computes is stopped with it, at its limit as well", async () => {
    await writeFile(host.home("work/work.py"), "while True: sum(range(1000))\n");
    const plan = runs.plan("echo step 1; python3 work.py & sleep 0.5", { run: { maxSeconds: 4, graceSeconds: 1 } });
    await runs.start(plan);
    expect(await runs.until(plan, "stopped")).toMatchObject({ stopReason: "limit" });
    expect((await host.session.exec("pgrep -f '[w]ork.py'")).stdout).toBe("");
  });

  it.each([
    ["work after its first step", "echo step 1; python3 -c 'import time; time.sleep(61)' & sleep 0.5", "1"],
    ["a helper after its first step", "echo step 1; cp /bin/sleep tensorboard; ./tensorboard 61 & sleep 0.5", "0"],
    ["a helper that is known", "cp /bin/sleep tensorboard; ./tensorboard 61 & sleep 0.5", "1"],
    ["what ends by itself", "sleep 1 & sleep 0.2", "0"],
    [
      "something beside a training that no pattern knows",
      "(exec -a monitor sleep 61) & python3 work.py; echo done",
      "1",
    ],
  ])("and has left %s has finished, and says what it ended", async (_, command, tellsOf) => {
    await writeFile(
      host.home("work/work.py"),
      "import time\nend = time.time() + 7\nwhile time.time() < end: sum(range(1000))\n",
    );
    const plan = runs.plan(command);
    await runs.start(plan);
    const status = await runs.until(plan, (now) => now.endedAt !== undefined);
    expect(status).toMatchObject({ state: "finished", exitCode: 0 });
    expect(status.detached).toBeUndefined();
    const told = (
      await host.session.exec(`grep -c 'these processes of it still ran' ${status.logPath} || true`)
    ).stdout.trim();
    expect(told).toBe(tellsOf);
    expect((await host.session.exec("pgrep -f '[t]ime.sleep.61'; pgrep -x monitor; pgrep -x tensorboard")).stdout).toBe(
      "",
    );
  });
});
