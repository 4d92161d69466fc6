import { existsSync } from "node:fs";
import { appendFile, mkdir, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { shellQuote } from "../../remote/quote";
import { endRun } from "../../remote/results";
import {
  evaluateRun,
  followLog,
  RunError,
  readMetrics,
  readStatus,
  stopRun,
  waitForEnd,
  waitForFirstStep,
} from "../../remote/run";
import { renderStart, renderStatus } from "../../remote/scripts";
import { SshSession } from "../../remote/session";
import type { RunStatus } from "../../remote/types";
import { startRelay } from "../support/relay";
import { startSshd, type TestSshd } from "../support/sshd";
import { testPlan } from "./plan";

let sshd: TestSshd;
let session: SshSession;
let number = 0;

beforeAll(async () => {
  sshd = await startSshd();
  session = await SshSession.connect(sshd.access);
  await mkdir(join(sshd.home, "work"));
});

afterAll(async () => {
  session?.close();
  await sshd?.stop();
});

type Changes = Parameters<typeof testPlan>[0];

/** A plan whose experiment no other test on this machine has: runs are told by it. */
function planOf(command: string, changes: Changes = {}): ReturnType<typeof testPlan> {
  return testPlan({ ...changes, run: { experiment: `exp-${process.pid}-${++number}`, command, ...changes.run } });
}

async function start(plan: ReturnType<typeof testPlan>): Promise<{ code: number; said: string }> {
  const { code, stdout, stderr } = await session.exec("bash -s", { stdin: renderStart(plan), timeoutSeconds: 30 });
  return { code, said: stdout + stderr };
}

async function status(plan: ReturnType<typeof testPlan>): Promise<RunStatus> {
  return readStatus(session, plan.run.experiment);
}

async function until(plan: ReturnType<typeof testPlan>, state: RunStatus["state"]): Promise<RunStatus> {
  for (let tries = 0; tries < 100; tries++) {
    const now = await status(plan);
    if (now.state === state) {
      return now;
    }
    await sleep(100);
  }
  return expect.fail(`it never became ${state}: ${JSON.stringify(await status(plan))}`);
}

const evaluation = {
  command:
    'test -f {checkpoint} && echo \'{"score": 0.5, "loss": NaN}\' > outputs/metrics.json && echo evaluated {checkpoint}',
  checkpoint: "checkpoints/best*.pt",
  metrics: "metrics/*.json",
  timeoutSeconds: 20,
};

const samples = Array.from({ length: 30 }, (_, i) => `sample-${i}.png`);

describe("a run", () => {
  it("starts, logs its first step, ends, is evaluated and found finished", async () => {
    const out = '"outputs/$NAME"';
    const command = `mkdir -p ${out}/checkpoints ${out}/metrics; echo loading; echo "Step 1 loss 2.5"; sleep 1.5; echo x > ${out}/checkpoints/best_model.pt; echo over`;
    const plan = planOf(command, {
      run: { variables: { NAME: "renamed run" } },
      evaluation: {
        ...evaluation,
        command: `test -f {checkpoint} && echo "{\\"score\\": 0.5, \\"loss\\": NaN}" > ${out}/metrics/test.json && echo "with" {checkpoint}`,
      },
    });
    expect((await status(plan)).state).toBe("absent");
    expect(await start(plan)).toMatchObject({ code: 0, said: expect.stringContaining("started: attempt 1") });
    const lines: string[] = [];
    const first = await waitForFirstStep(sshd.access, plan.run, {
      timeoutSeconds: 20,
      onLine: (line) => lines.push(line),
    });
    expect(first).toMatchObject({ attempt: 1, firstStepLine: "Step 1 loss 2.5" });
    const end = await waitForEnd(sshd.access, plan.run, { timeoutSeconds: 20 });
    expect(end).toMatchObject({
      state: "finished",
      exitCode: 0,
      attempt: 1,
      lastLine: "over",
      firstStepAt: first.firstStepAt,
      outputPath: join(sshd.home, "work/outputs/renamed run"),
      evaluation: { state: "done", exitCode: 0 },
    });
    expect(Math.abs(end.now - Date.now() / 1000)).toBeLessThan(5);
    expect(Date.parse(end.endedAt ?? "")).toBeGreaterThanOrEqual(Date.parse(end.startedAt ?? ""));
    const evaluated = await readFile(join(end.logPath, "../evaluate.log"), "utf8");
    expect(evaluated).toContain("with outputs/renamed run/checkpoints/best_model.pt");
    const metrics = await readMetrics(session, { experiment: plan.run.experiment, metrics: "metrics/*.json" });
    expect(metrics).toEqual({ "metrics/test.json": { score: 0.5, loss: null } });
    expect(await start(plan)).toMatchObject({ code: 0, said: expect.stringContaining("already finished") });
  });

  it("starts where tmux's server was just about to end", async () => {
    const tmux = join(sshd.bin, "tmux");
    const failOnce = `case "$*" in *new-session*) [ -f ~/failed ] || { touch ~/failed; echo "server exited unexpectedly" >&2; exit 1; };; esac`;
    await writeFile(tmux, `#!/bin/bash\n${failOnce}\nexec /usr/bin/tmux "$@"\n`, { mode: 0o755 });
    const plan = planOf("echo step 1");
    expect(await start(plan)).toMatchObject({ code: 0, said: expect.stringContaining("started: attempt 1") });
    await rm(tmux);
    expect(await readFile(join(sshd.home, "failed"), "utf8")).toBe("");
    expect(await until(plan, "finished")).toMatchObject({ attempt: 1 });
  });

  it("keeps its description and log from others", async () => {
    const plan = planOf("echo $TOKEN", { run: { variables: { TOKEN: "hush'\"$(id)\n`" } } });
    await start(plan);
    const { logPath } = await until(plan, "finished");
    expect(await readFile(logPath, "utf8")).toContain("hush'\"$(id) `");
    expect((await stat(logPath)).mode & 0o77).toBe(0);
    expect((await stat(join(logPath, "../attempts/1/run.env"))).mode & 0o77).toBe(0);
    const global = await session.exec("tmux show-environment -g 2>/dev/null");
    expect(global.stdout).not.toContain("hush");
  });

  it("is found running by the same hash, refused under another", async () => {
    const plan = planOf("echo step 1; sleep 60");
    await start(plan);
    await until(plan, "running");
    expect((await start(plan)).said).toContain("already running: attempt 1");
    const other = await start({ ...plan, run: { ...plan.run, hash: "r2" } });
    expect(other).toMatchObject({ code: 3, said: expect.stringContaining("Stop it first") });
    expect((await session.exec(`tmux has-session -t =${plan.run.experiment}`)).code).toBe(0);
    const stopped = await stopRun(sshd.access, plan.run, { reason: "replace", graceSeconds: 3 });
    expect(stopped).toMatchObject({ state: "stopped", stopReason: "replace" });
    expect((await start({ ...plan, run: { ...plan.run, hash: "r2" } })).said).toContain("started: attempt 2");
    await stopRun(sshd.access, plan.run, { reason: "test", graceSeconds: 3 });
  });

  it("that fails tells its status and starts again as the next attempt, on the same log", async () => {
    const plan = planOf("echo attempt; test -f again || { touch again; exit 9; }; echo step 5");
    await start(plan);
    expect(await until(plan, "failed")).toMatchObject({ exitCode: 9, attempt: 1 });
    expect((await start(plan)).said).toContain("started: attempt 2");
    const { logPath } = await until(plan, "finished");
    const log = await readFile(logPath, "utf8");
    expect(log.match(/^attempt$/gm)).toHaveLength(2);
    expect(log).toMatch(/=== lambda-train: exp-[\d-]+, attempt 2, started/);
  });

  it("that fails before its first step is an error with the end of its log", async () => {
    const plan = planOf("echo no CUDA here; exit 1");
    await start(plan);
    const error = await waitForFirstStep(sshd.access, plan.run, { timeoutSeconds: 20 }).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(RunError);
    expect((error as RunError).facts.kind).toBe("failed");
    expect((error as RunError).message).toMatch(/status 1 before its first step[\s\S]*no CUDA here/);
  });

  it("that never logs a step is told apart and goes on", async () => {
    const plan = planOf("echo warming up; sleep 60");
    await start(plan);
    const error = await waitForFirstStep(sshd.access, plan.run, { timeoutSeconds: 1 }).catch((e: unknown) => e);
    expect((error as RunError).facts).toMatchObject({ kind: "first-step", status: { state: "starting" } });
    await stopRun(sshd.access, plan.run, { reason: "test", graceSeconds: 1 });
  });

  it("that is killed tells of memory", async () => {
    const killed = planOf("kill -KILL $$");
    await start(killed);
    expect(await until(killed, "failed")).toMatchObject({
      exitCode: 137,
      lastLine: expect.stringContaining("out of memory"),
    });
  });

  it("starts again at once where it has failed, although its supervisor is not gone yet", async () => {
    const plan = planOf("test -f tried && { echo step 1; sleep 60; }; touch tried; exit 7");
    await start(plan);
    await until(plan, "failed");
    const facts = join(sshd.home, ".lambda-train/runs", plan.run.experiment, "attempts/1");
    const lingering = await session.exec("sleep 30 >/dev/null 2>&1 & . .lambda-train/scripts/*/lib.sh; process_key $!");
    await writeFile(join(facts, "supervisor"), lingering.stdout);
    expect(await start(plan)).toMatchObject({ code: 0, said: expect.stringContaining("started: attempt 2") });
    await until(plan, "running");
    await stopRun(sshd.access, plan.run, { reason: "test", graceSeconds: 1 });
  });

  it.each([
    ["in one folder, whatever its name", ["mine/best.pt", "mine/log/a"], "mine", []],
    ["in one folder, and a file beside it", ["mine/best.pt", "note"], "mine", ["note"]],
    ["in folders by kind", ["checkpoints/best.pt", "logs/a"], "", []],
    ["in files alone", ["best.pt", "log"], "", []],
    ["in its own folder, and beside it", ["EXP/best.pt", "tensorboard/a", "note"], "EXP", ["note", "tensorboard"]],
    // Together, since a command would not hold so many, nor a line such a name.
    ["in its own folder, and much beside it", ["EXP/best.pt", ...samples], "EXP", [""]],
    ["in its own folder, and a strange name beside it", ["EXP/best.pt", "a\tb"], "EXP", [""]],
  ])("has its results found: %s", async (_, files, main, beside) => {
    const plan = planOf("");
    const { experiment } = plan.run;
    const outputs = `outputs/found-${experiment}`;
    const writes = files.map((path) => {
      const file = shellQuote(`${outputs}/${path.replace("EXP", experiment)}`);
      return `mkdir -p "$(dirname ${file})"; echo x > ${file}`;
    });
    const command = `echo step 1; ${writes.join("; ")}; ln -s ${experiment} ${outputs}/latest`;
    const found = { ...plan, run: { ...plan.run, command, outputs } };
    await start(found);
    const { outputPath, outputsBeside = [] } = await until(found, "finished");
    const at = (path: string): string => join(sshd.home, "work", outputs, path.replace("EXP", experiment));
    expect(outputPath).toBe(at(main));
    expect(outputsBeside).toEqual(beside.map(at));
  });

  it("is ended with its results although its supervisor is gone", async () => {
    const plan = planOf("");
    const { experiment } = plan.run;
    const out = `outputs/${experiment}`;
    const command = `trap 'echo saved > ${out}/checkpoint; exit' TERM; mkdir -p ${out} outputs/plots; echo step 1; echo x > outputs/plots/loss; while :; do sleep 0.1; done`;
    const trained = { ...plan, run: { ...plan.run, command } };
    await start(trained);
    await until(trained, "running");
    const facts = join(sshd.home, ".lambda-train/runs", experiment, "attempts/1");
    for (let tries = 0; !existsSync(join(facts, "output_beside")) && tries < 200; tries++) await sleep(100);
    process.kill(Number((await readFile(join(facts, "supervisor"), "utf8")).split(" ")[0]), "SIGKILL");
    const directory = await mkdtemp(join(tmpdir(), "lambda-train-home-"));
    try {
      const place = { instanceId: "i", access: sshd.access, run: trained.run, workspace: "work", directory };
      await endRun(place, "destroy", {});
      const home = (path: string): Promise<string> => readFile(join(directory, experiment, path), "utf8");
      expect(await home("checkpoint")).toBe("saved\n");
      expect(await home("beside/plots/loss")).toBe("x\n");
      const left = await session.exec(`grep -lzxF -e LAMBDA_TRAIN_RUN=${experiment} /proc/[0-9]*/environ 2>/dev/null`);
      expect(left.stdout).toBe("");
    } finally {
      await rm(directory, { recursive: true });
    }
  });

  it.each([
    ["waits", "pgrep -P"],
    ["works", "echo"],
  ])("is not over when the machine goes down while the supervisor %s, however training ends", async (_, list) => {
    const plan = planOf("trap 'echo saved; exit 0' TERM; echo step 1; while :; do sleep 0.1; done");
    await start(plan);
    await until(plan, "running");
    const facts = join(sshd.home, ".lambda-train/runs", plan.run.experiment, "attempts/1");
    const [supervisor = ""] = (await readFile(join(facts, "supervisor"), "utf8")).split(" ");
    // As init does it: to all at once, a program that the supervisor waits for among them.
    const { stdout } = await session.exec(
      `${list} ${supervisor}; grep -lzxF -e LAMBDA_TRAIN_RUN=${plan.run.experiment} /proc/[0-9]*/environ | tr -dc '0-9\\n'`,
    );
    await session.exec(`kill -TERM ${supervisor} ${stdout.trim().split("\n").join(" ")}`);
    const { exitCode, stopReason } = await until(plan, "failed");
    expect({ exitCode, stopReason }).toEqual({ exitCode: undefined, stopReason: undefined });
    expect((await start(plan)).said).toContain("started: attempt 2");
    await until(plan, "running");
    await stopRun(sshd.access, plan.run, { reason: "test", graceSeconds: 1 });
  });
});

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
    await writeFile(join(sshd.home, "work/trainer.py"), trainer);
    await writeFile(
      join(sshd.home, "work/Makefile"),
      "train:\n\tpython3 trainer.py | tee copy.log\n\techo NEXT COMMAND; touch next\n",
    );
    const plan = planOf("make train");
    await start(plan);
    await until(plan, "running");
    const stopped = await stopRun(sshd.access, plan.run, { reason: "destroy", graceSeconds: 10 });
    expect(stopped).toMatchObject({ state: "stopped", stopReason: "destroy" });
    const log = await readFile(stopped.logPath, "utf8");
    expect(log).toContain("terms: 1 child alive: True");
    expect(log).not.toContain("CHILD GOT TERM");
    expect(await readFile(join(sshd.home, "work/checkpoint"), "utf8")).toBe("saved");
    await expect(stat(join(sshd.home, "work/next"))).rejects.toThrow("ENOENT");
    // Stopping what is stopped changes nothing.
    expect((await stopRun(sshd.access, plan.run, { reason: "again", graceSeconds: 1 })).stopReason).toBe("destroy");
  });

  it("kills what does not listen, in sessions of its own too", async () => {
    const plan = planOf(
      "trap '' TERM; setsid sleep 61 & echo step 1; python3 -c 'import signal,time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)'",
    );
    await start(plan);
    await until(plan, "running");
    await stopRun(sshd.access, plan.run, { reason: "user", graceSeconds: 1 });
    const left = await session.exec(
      `grep -lzxF -e LAMBDA_TRAIN_RUN=${plan.run.experiment} /proc/[0-9]*/environ 2>/dev/null`,
    );
    expect(left.stdout).toBe("");
  });

  it("has its grace by the clock, however many processes there are to look at", async () => {
    const many = "for i in $(seq 60); do sleep 60 & done";
    const plan = planOf(
      `${many}; echo step 1; exec python3 -c 'import signal,time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)'`,
    );
    await start(plan);
    await until(plan, "running");
    const began = Date.now();
    await stopRun(sshd.access, plan.run, { reason: "user", graceSeconds: 4 });
    expect(Date.now() - began).toBeGreaterThan(4000);
    expect(Date.now() - began).toBeLessThan(16_000);
  });

  it("comes by itself at the time limit, which counts over attempts", async () => {
    const plan = planOf("echo step 1; sleep 60", { run: { maxSeconds: 1 } });
    await start(plan);
    const { stopReason, usedSeconds = 0 } = await until(plan, "stopped");
    expect(stopReason).toBe("limit");
    expect(await start(plan)).toMatchObject({ code: 4, said: expect.stringContaining("used up") });
    const more = { ...plan, run: { ...plan.run, maxSeconds: usedSeconds + 2 } };
    expect((await start(more)).said).toContain("attempt 2");
    expect(await until(plan, "stopped")).toMatchObject({ stopReason: "limit", attempt: 2 });
  });

  it("ends a run whose training has not begun, since its environment is being made ready", async () => {
    const environment = join(sshd.home, ".lambda-train/env.sh");
    await writeFile(environment, "while :; do sleep 0.1; done\n");
    try {
      const plan = planOf("touch begun; sleep 60");
      await start(plan);
      const stopped = await stopRun(sshd.access, plan.run, { reason: "user", graceSeconds: 1 });
      expect(stopped).toMatchObject({ state: "stopped", stopReason: "user" });
      await expect(stat(join(sshd.home, "work/begun"))).rejects.toThrow("ENOENT");
    } finally {
      await rm(environment);
    }
  });

  it("is not taken for the end of a run that was never there", async () => {
    expect((await stopRun(sshd.access, { experiment: "nobody" }, { reason: "x", graceSeconds: 1 })).state).toBe(
      "absent",
    );
  });
});

describe("evaluation", () => {
  const train = (name: string): string =>
    `mkdir -p outputs/${name}/checkpoints; echo step 1; touch outputs/${name}/checkpoints/best_1.pt; sleep 0.1; touch outputs/${name}/checkpoints/best_2.pt; sleep 60`;

  it("gets its checkpoint as it is named, and keeps variables of the shell", async () => {
    const out = "outputs/ev&1 {checkpoint}";
    const command = `checkpoint=mine; printf '%s|' \${checkpoint} {checkpoint} "\${checkpoint}" '{print}' > seen`;
    const plan = planOf(`mkdir -p '${out}'; echo x > '${out}/best&\\1.pt'; echo step 1`, {
      evaluation: { ...evaluation, checkpoint: "best*", command },
    });
    await start(plan);
    await waitForEnd(sshd.access, plan.run, { timeoutSeconds: 20 });
    expect(await readFile(join(sshd.home, "work/seen"), "utf8")).toBe(`mine|${out}/best&\\1.pt|mine|{print}|`);
  });

  it("of a stopped run takes the newest checkpoint, once", async () => {
    const base = planOf("", {});
    const plan = {
      ...base,
      run: { ...base.run, command: train(base.run.experiment) },
      evaluation: { ...evaluation, command: "echo used {checkpoint} >> evaluations" },
    };
    await start(plan);
    await until(plan, "running");
    await expect(evaluateRun(sshd.access, plan)).rejects.toThrow("still goes on");
    await sleep(300);
    await stopRun(sshd.access, plan.run, { reason: "user", graceSeconds: 1 });
    expect((await status(plan)).evaluation).toEqual({ state: "pending" });
    expect(await evaluateRun(sshd.access, plan)).toMatchObject({ state: "stopped", evaluation: { state: "done" } });
    await evaluateRun(sshd.access, plan);
    const used = await readFile(join(sshd.home, "work/evaluations"), "utf8");
    expect(used).toBe(`used outputs/${plan.run.experiment}/checkpoints/best_2.pt\n`);
  });

  it("goes on when the connection is lost, and is waited for again", async () => {
    await rm(join(sshd.home, "work/evaluations"), { force: true });
    const base = planOf("", {});
    const plan = {
      ...base,
      run: { ...base.run, command: train(base.run.experiment).replace("; sleep 60", "") },
    };
    await start(plan);
    await until(plan, "finished");
    const relay = await startRelay(sshd.access.port);
    setTimeout(() => relay.cut(), 1500);
    const later = { ...plan, evaluation: { ...evaluation, command: "echo once >> evaluations; sleep 2.5" } };
    const done = await evaluateRun({ ...sshd.access, port: relay.port }, later);
    expect(done.evaluation).toMatchObject({ state: "done" });
    expect(relay.connections).toBe(2);
    expect(await readFile(join(sshd.home, "work/evaluations"), "utf8")).toBe("once\n");
    await relay.close();
  });

  it("tells a missing checkpoint and its own time limit", async () => {
    const base = planOf("mkdir -p outputs/x; echo step 1 > outputs/x/log", {});
    const none = { ...base, evaluation: { ...evaluation, checkpoint: "nothing/*.pt" } };
    await start(none);
    const end = await waitForEnd(sshd.access, none.run, { timeoutSeconds: 20 });
    expect(end).toMatchObject({ state: "finished", evaluation: { state: "failed", exitCode: 66 } });
    const slow = { ...base, evaluation: { ...evaluation, checkpoint: "log", command: "sleep 30", timeoutSeconds: 1 } };
    expect((await evaluateRun(sshd.access, slow)).evaluation).toEqual({ state: "failed", exitCode: 124 });
  });
});

describe("following the log", () => {
  it("loses and repeats nothing over cut connections", async () => {
    const plan = planOf("for i in $(seq 1 400); do echo step $i; sleep 0.01; done");
    await start(plan);
    const relay = await startRelay(sshd.access.port);
    const cuts = setInterval(() => relay.cut(), 1200);
    let text = "";
    const known = await followLog({ ...sshd.access, port: relay.port }, plan.run.experiment, {
      onChunk: (chunk, offset) => {
        expect(offset).toBe(Buffer.byteLength(text));
        text += chunk.toString();
      },
    });
    clearInterval(cuts);
    await relay.close();
    const log = await readFile(join(sshd.home, ".lambda-train/runs", plan.run.experiment, "train.log"), "utf8");
    expect(text).toBe(log);
    expect(known).toBe(log.length);
    expect(relay.connections).toBeGreaterThan(2);
    let rest = "";
    await followLog(sshd.access, plan.run.experiment, {
      start: { byte: known - 5 },
      onChunk: (chunk) => {
        rest += chunk.toString();
      },
    });
    expect(rest).toBe(log.slice(-5));
  });

  it("ends when it is told to", async () => {
    const plan = planOf("sleep 60");
    await start(plan);
    const abort = new AbortController();
    const known = await followLog(sshd.access, plan.run.experiment, {
      onChunk: () => abort.abort(),
      signal: abort.signal,
    });
    expect(known).toBeGreaterThan(0);
    await stopRun(sshd.access, plan.run, { reason: "test", graceSeconds: 1 });
  });

  it("is not a reason to fail while the instance cannot be reached", async () => {
    const plan = planOf("echo step 1; sleep 6; echo end");
    await start(plan);
    const relay = await startRelay(sshd.access.port);
    const told: string[] = [];
    const waiting = waitForEnd({ ...sshd.access, port: relay.port }, plan.run, {
      onProgress: (line) => told.push(line),
    });
    await sleep(700);
    relay.refuse();
    relay.cut();
    await sleep(1500);
    relay.accept();
    expect((await waiting).state).toBe("finished");
    expect(told.join()).toContain("The run is not affected");
    await relay.close();
  });
});

it("status works for any log line", async () => {
  const plan = planOf("sleep 60");
  await start(plan);
  const { logPath } = await until(plan, "starting");
  await appendFile(
    logPath,
    Buffer.concat([Buffer.from('progress 1%\rprogress "99%"\t\\ \u001b[31m'), Buffer.from([0xff, 0x00, 0xc3])]),
  );
  const { stdout } = await session.exec("bash -s", { stdin: renderStatus(plan) });
  expect(JSON.parse(stdout).lastLine).toMatch(/^progress "99%" \\ \[31m/);
  await stopRun(sshd.access, plan.run, { reason: "test", graceSeconds: 1 });
});
