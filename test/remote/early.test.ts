import { readdirSync, readFileSync } from "node:fs";
import { chmod, cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { shellQuote } from "../../remote/quote";
import { bringHome } from "../../remote/results";
import { evaluateRun, readStatus, stopRun } from "../../remote/run";
import { withSession } from "../../remote/session";
import { renderStart } from "../../remote/start";
import type { RunStatus } from "../../remote/types";
import { testEvaluation, testPlan } from "./plan";
import { useScriptHost } from "./script-host";

/** A run that an earlier release started, as its files tell: it goes on while the stack is updated. */
describe("a run of an earlier release", { timeout: 60_000 }, () => {
  const host = useScriptHost();
  const experiment = "early";
  const facts = (name: string): string => host.home(".lambda-train/runs", experiment, "attempts/1", name);
  const fact = async (name: string): Promise<string> => (await readFile(facts(name), "utf8")).trim();
  const status = (): Promise<RunStatus> => withSession(host.sshd.access, (session) => readStatus(session, experiment));
  const evaluation = { ...testEvaluation, checkpoint: "best*", command: "cp {checkpoint} evaluated" };
  const plan = testPlan({ run: { experiment, hash: "r1", maxSeconds: 1e6 }, evaluation });
  const key = 'echo $! $(cut -d " " -f 22 /proc/$!/stat) $(cat /proc/sys/kernel/random/boot_id)';

  /** Lays the files, and starts training and what supervises it, which ends with the test's instance at the latest. */
  const begin = async (supervisor: string): Promise<void> => {
    const run = host.home(".lambda-train/runs", experiment);
    await cp(join(__dirname, "../fixtures/early-run"), run, { recursive: true });
    await chmod(run, 0o700);
    await writeFile(facts("output_path"), (await fact("output_path")).replace("HOME", host.sshd.home));
    await writeFile(facts("started_at"), `${new Date().toISOString().slice(0, 19)}Z\n`);
    await mkdir(host.home("work/outputs/early"), { recursive: true });
    const training =
      "trap 'echo saved > outputs/early/best.pt; exit 143' TERM; touch trains; while :; do sleep 0.1; done";
    const script = `cd "$HOME/work"; export F="$HOME/.lambda-train/runs/early/attempts/1" LAMBDA_TRAIN_RUN=early
setsid bash -c ${shellQuote(training)} </dev/null >/dev/null 2>&1 & ${key} >"$F/launcher"
unset LAMBDA_TRAIN_RUN
setsid bash -c ${shellQuote(supervisor)} </dev/null >/dev/null 2>&1 & ${key} >"$F/supervisor"`;
    await host.session.run("bash -s", "beginning", { stdin: script });
    await expect.poll(() => host.text("work/trains").catch(() => undefined)).toBe("");
  };
  /** What the earlier supervisor did when it was asked to stop. */
  const supervisor = `until [ -f "$F/stop_request" ]; do sleep 0.1; done
kill -TERM "$(cut -d ' ' -f 1 "$F/launcher")"; cp "$F/stop_request" "$F/stop_reason"; sleep 1
date -u +%Y-%m-%dT%H:%M:%SZ >"$F/ended_at"; echo 143 >"$F/exit"`;

  it("is seen, takes changed limits over, and is stopped by its own supervisor", async () => {
    await begin(supervisor);
    const seen = await status();
    expect(seen).toMatchObject({
      state: "running",
      attempt: 1,
      hash: "r1",
      firstStepAt: "2026-11-28T16:29:19Z",
      firstStepLine: "step 1",
      usedSeconds: 12,
      lastLine: "step 1",
      outputPath: host.home("work/outputs/early"),
      evaluation: { state: "pending" },
    });
    expect(seen.unsupervised).toBeUndefined();
    expect(await host.send(renderStart(plan))).toMatchObject({
      code: 0,
      stdout: expect.stringContaining("already running: attempt 1"),
    });
    expect(await fact("limits")).toBe("export LT_MAX_SECONDS=1000000");
    expect(await host.send(renderStart({ ...plan, run: { ...plan.run, hash: "r2" } }))).toMatchObject({ code: 3 });
    const stopped = await stopRun(host.sshd.access, plan.run, { reason: "destroy", graceSeconds: 3 });
    expect(stopped).toMatchObject({ state: "stopped", stopReason: "destroy", exitCode: 143 });
    expect([await fact("stop_request"), await fact("stop_grace")]).toEqual(["destroy", "3"]);
  });

  it("is supervised again, evaluated, brought home, and followed by the next attempt", async () => {
    await begin("exit 0");
    expect(await status()).toMatchObject({ state: "running", attempt: 1 });
    expect(await host.text(".lambda-train/runs/early/train.log")).toContain("attempt 1 is supervised again");
    const stopped = await stopRun(host.sshd.access, plan.run, { reason: "user", graceSeconds: 3 });
    expect(stopped).toMatchObject({ state: "stopped", stopReason: "user" });
    expect(await evaluateRun(host.sshd.access, plan)).toMatchObject({ evaluation: { state: "done" } });
    expect(await host.text("work/evaluated")).toBe("saved\n");
    const directory = await mkdtemp(join(tmpdir(), "lambda-train-early-"));
    try {
      const place = { instanceId: "i", access: host.sshd.access, run: plan.run, workspace: "work", directory };
      await bringHome(place, {});
      expect(readFileSync(join(directory, experiment, "best.pt"), "utf8")).toBe("saved\n");
      expect(readdirSync(facts("."))).toContain("fetched");
    } finally {
      await rm(directory, { recursive: true });
    }
    const command = "echo step 2";
    const again = await host.send(renderStart({ ...plan, run: { ...plan.run, command } }));
    expect(again).toMatchObject({ code: 0, stdout: expect.stringContaining("started: attempt 2") });
    await expect.poll(async () => (await status()).state, { timeout: 20_000 }).toBe("finished");
    expect(await status()).toMatchObject({ attempt: 2, firstStepLine: "step 2" });
  });
});
