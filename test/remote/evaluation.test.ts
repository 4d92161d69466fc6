import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { evaluateRun, stopRun } from "../../remote/run";
import { waitForEnd } from "../../remote/waiting";
import { startRelay } from "../support/relay";
import { testEvaluation } from "./plan";
import { RunHost } from "./run-host";
import { useScriptHost } from "./script-host";

const host = useScriptHost();
const runs = new RunHost(host);

describe("evaluation", () => {
  const train = (name: string): string =>
    `mkdir -p outputs/${name}/checkpoints; echo step 1; touch outputs/${name}/checkpoints/best_1.pt; sleep 0.1; touch outputs/${name}/checkpoints/best_2.pt; sleep 60`;

  it("gets its checkpoint as it is named, and keeps variables of the shell", async () => {
    const out = "outputs/ev&1 {checkpoint}";
    const command = `checkpoint=mine; printf '%s|' \${checkpoint} {checkpoint} "\${checkpoint}" '{print}' > seen`;
    const plan = runs.plan(`mkdir -p '${out}'; echo x > '${out}/best&\\1.pt'; echo step 1`, {
      evaluation: { ...testEvaluation, checkpoint: "best*", command },
    });
    await runs.start(plan);
    await waitForEnd(host.sshd.access, plan.run, { timeoutSeconds: 20 });
    expect(await readFile(host.home("work/seen"), "utf8")).toBe(`mine|${out}/best&\\1.pt|mine|{print}|`);
  });

  it("of a stopped run takes the newest checkpoint, once", async () => {
    const base = runs.plan("", {});
    const plan = {
      ...base,
      run: { ...base.run, command: train(base.run.experiment) },
      evaluation: { ...testEvaluation, command: "echo used {checkpoint} >> evaluations" },
    };
    await runs.start(plan);
    await runs.until(plan, "running");
    await expect(evaluateRun(host.sshd.access, plan)).rejects.toThrow("still goes on");
    await sleep(300);
    await stopRun(host.sshd.access, plan.run, { reason: "user", graceSeconds: 1 });
    expect((await runs.status(plan)).evaluation).toEqual({ state: "pending" });
    expect(await evaluateRun(host.sshd.access, plan)).toMatchObject({
      state: "stopped",
      evaluation: { state: "done" },
    });
    await evaluateRun(host.sshd.access, plan);
    const used = await readFile(host.home("work/evaluations"), "utf8");
    expect(used).toBe(`used outputs/${plan.run.experiment}/checkpoints/best_2.pt\n`);
  });

  it("goes on when the connection is lost, and is waited for again", async () => {
    const base = runs.plan("", {});
    const plan = {
      ...base,
      run: { ...base.run, command: train(base.run.experiment).replace("; sleep 60", "") },
    };
    await runs.start(plan);
    await runs.until(plan, "finished");
    const relay = await startRelay(host.sshd.access.port);
    setTimeout(() => relay.cut(), 1500);
    const later = { ...plan, evaluation: { ...testEvaluation, command: "echo once >> evaluations; sleep 2.5" } };
    const done = await evaluateRun({ ...host.sshd.access, port: relay.port }, later);
    expect(done.evaluation).toMatchObject({ state: "done" });
    expect(relay.connections).toBe(2);
    expect(await readFile(host.home("work/evaluations"), "utf8")).toBe("once\n");
    await relay.close();
  });

  it("tells a missing checkpoint and its own time limit", async () => {
    const base = runs.plan("mkdir -p outputs/x; echo step 1 > outputs/x/log", {});
    const none = { ...base, evaluation: { ...testEvaluation, checkpoint: "nothing/*.pt" } };
    await runs.start(none);
    const end = await waitForEnd(host.sshd.access, none.run, { timeoutSeconds: 20 });
    expect(end).toMatchObject({ state: "finished", evaluation: { state: "failed", exitCode: 66 } });
    const slow = {
      ...base,
      evaluation: { ...testEvaluation, checkpoint: "log", command: "sleep 30", timeoutSeconds: 1 },
    };
    expect((await evaluateRun(host.sshd.access, slow)).evaluation).toEqual({ state: "failed", exitCode: 124 });
  });
});
