import { appendFile, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { eventText } from "../../remote/events";
import { followLog } from "../../remote/follow";
import { shellQuote } from "../../remote/quote";
import { endRun } from "../../remote/results";
import { RunError, readMetrics, stopRun } from "../../remote/run";
import { waitForEnd, waitForFirstStep } from "../../remote/waiting";
import { startRelay } from "../support/relay";
import { testEvaluation } from "./plan";
import { RunHost } from "./run-host";
import { useScriptHost } from "./script-host";

const host = useScriptHost();
const runs = new RunHost(host);

const samples = Array.from({ length: 30 }, (_, i) => `sample-${i}.png`);

describe("a run", () => {
  it("starts, logs its first step, ends, is evaluated and found finished", async () => {
    const out = '"outputs/$NAME"';
    const command = `mkdir -p ${out}/checkpoints ${out}/metrics; echo loading; echo "Step 1 loss 2.5"; sleep 1.5; echo x > ${out}/checkpoints/best_model.pt; echo over`;
    const plan = runs.plan(command, {
      run: { variables: { NAME: "renamed run" } },
      evaluation: {
        ...testEvaluation,
        command: `test -f {checkpoint} && echo "{\\"score\\": 0.5, \\"loss\\": NaN}" > ${out}/metrics/test.json && echo "with" {checkpoint}`,
      },
    });
    expect((await runs.status(plan)).state).toBe("absent");
    expect(await runs.start(plan)).toMatchObject({ code: 0, said: expect.stringContaining("started: attempt 1") });
    const first = await waitForFirstStep(host.sshd.access, plan.run, { timeoutSeconds: 20 });
    expect(first).toMatchObject({ attempt: 1, firstStepLine: "Step 1 loss 2.5" });
    // A clock that is left would keep the command from its end.
    const clocks = (): number => process.getActiveResourcesInfo().filter((each) => each === "Timeout").length;
    const before = clocks();
    const end = await waitForEnd(host.sshd.access, plan.run, { timeoutSeconds: 20 });
    expect(clocks()).toBeLessThanOrEqual(before);
    expect(end).toMatchObject({
      state: "finished",
      exitCode: 0,
      attempt: 1,
      lastLine: "over",
      firstStepAt: first.firstStepAt,
      outputPath: host.home("work/outputs/renamed run"),
      evaluation: { state: "done", exitCode: 0 },
    });
    expect(Math.abs(end.now - Date.now() / 1000)).toBeLessThan(5);
    expect(Date.parse(end.endedAt ?? "")).toBeGreaterThanOrEqual(Date.parse(end.startedAt ?? ""));
    const evaluated = await readFile(join(end.logPath, "../evaluate.log"), "utf8");
    expect(evaluated).toContain("with outputs/renamed run/checkpoints/best_model.pt");
    const metrics = await readMetrics(host.session, { experiment: plan.run.experiment, metrics: "metrics/*.json" });
    expect(metrics).toEqual({ files: { "metrics/test.json": { score: 0.5, loss: null } }, left: [] });
    expect(await runs.start(plan)).toMatchObject({ code: 0, said: expect.stringContaining("already finished") });
  });

  it("starts where tmux's server was just about to end", async () => {
    const tmux = join(host.sshd.bin, "tmux");
    const failOnce = `case "$*" in *new-session*) [ -f ~/failed ] || { touch ~/failed; echo "server exited unexpectedly" >&2; exit 1; };; esac`;
    await writeFile(tmux, `#!/bin/bash\n${failOnce}\nexec /usr/bin/tmux "$@"\n`, { mode: 0o755 });
    const plan = runs.plan("echo step 1");
    expect(await runs.start(plan)).toMatchObject({ code: 0, said: expect.stringContaining("started: attempt 1") });
    await rm(tmux);
    expect(await readFile(host.home("failed"), "utf8")).toBe("");
    expect(await runs.until(plan, "finished")).toMatchObject({ attempt: 1 });
  });

  it("keeps its description and log from others", async () => {
    const plan = runs.plan("echo $TOKEN", { run: { variables: { TOKEN: "hush'\"$(id)\n`" } } });
    await runs.start(plan);
    const { logPath } = await runs.until(plan, "finished");
    expect(await readFile(logPath, "utf8")).toContain("hush'\"$(id) `");
    expect((await stat(logPath)).mode & 0o77).toBe(0);
    expect((await stat(join(logPath, "../state.json"))).mode & 0o77).toBe(0);
    const global = await host.session.exec("tmux show-environment -g 2>/dev/null");
    expect(global.stdout).not.toContain("hush");
  });

  it("is found running by the same hash, refused under another", async () => {
    const plan = runs.plan("echo step 1; sleep 60");
    await runs.start(plan);
    await runs.until(plan, "running");
    expect((await runs.start(plan)).said).toContain("already running: attempt 1");
    const other = await runs.start({ ...plan, run: { ...plan.run, hash: "r2" } });
    expect(other).toMatchObject({ code: 3, said: expect.stringContaining("Stop it first") });
    expect((await host.session.exec(`tmux has-session -t =${plan.run.experiment}`)).code).toBe(0);
    const stopped = await stopRun(host.sshd.access, plan.run, { reason: "replace", graceSeconds: 3 });
    expect(stopped).toMatchObject({ state: "stopped", stopReason: "replace" });
    expect((await runs.start({ ...plan, run: { ...plan.run, hash: "r2" } })).said).toContain("started: attempt 2");
    await stopRun(host.sshd.access, plan.run, { reason: "test", graceSeconds: 3 });
  });

  it("that fails tells its status and starts again as the next attempt, on the same log", async () => {
    const plan = runs.plan("echo attempt; test -f again || { touch again; exit 9; }; echo step 5");
    await runs.start(plan);
    expect(await runs.until(plan, "failed")).toMatchObject({ exitCode: 9, attempt: 1 });
    expect((await runs.start(plan)).said).toContain("started: attempt 2");
    const { logPath, events = [] } = await runs.until(plan, "finished");
    const log = await readFile(logPath, "utf8");
    expect(log.match(/^attempt$/gm)).toHaveLength(2);
    const told = ["started", "training ended with status 9", "start 2", "first step", "training ended with status 0"];
    expect(events.map(eventText)).toEqual(told);
    expect(log).toMatch(/=== lambda-train: host-[\d-]+, attempt 2, started/);
  });

  it("that fails before its first step is an error with the end of its log", async () => {
    const plan = runs.plan("echo no CUDA here; exit 1");
    await runs.start(plan);
    const error = await waitForFirstStep(host.sshd.access, plan.run, { timeoutSeconds: 20 }).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(RunError);
    expect((error as RunError).facts.kind).toBe("failed");
    expect((error as RunError).message).toMatch(/status 1 before its first step[\s\S]*no CUDA here/);
  });

  it("that never logs a step is told apart and goes on", async () => {
    const plan = runs.plan("echo warming up; sleep 60");
    await runs.start(plan);
    const error = await waitForFirstStep(host.sshd.access, plan.run, { timeoutSeconds: 1 }).catch((e: unknown) => e);
    expect((error as RunError).facts).toMatchObject({ kind: "first-step", status: { state: "starting" } });
    await stopRun(host.sshd.access, plan.run, { reason: "test", graceSeconds: 1 });
  });

  it("that is killed tells of memory", async () => {
    const killed = runs.plan("kill -KILL $$");
    await runs.start(killed);
    expect(await runs.until(killed, "failed")).toMatchObject({
      exitCode: 137,
      lastLine: expect.stringContaining("out of memory"),
    });
  });

  it("starts again at once where it has failed, although its supervisor is not gone yet", async () => {
    const plan = runs.plan("test -f tried && { echo step 1; sleep 60; }; touch tried; exit 7");
    await runs.start(plan);
    await runs.until(plan, "failed");
    const lingering = await host.session.exec(
      'sleep 30 >/dev/null 2>&1 & echo $! $(cut -d " " -f 22 /proc/$!/stat) $(cat /proc/sys/kernel/random/boot_id)',
    );
    await runs.setFact(plan, "supervisor", lingering.stdout.trim());
    expect(await runs.start(plan)).toMatchObject({ code: 0, said: expect.stringContaining("started: attempt 2") });
    await runs.until(plan, "running");
    await stopRun(host.sshd.access, plan.run, { reason: "test", graceSeconds: 1 });
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
    const plan = runs.plan("");
    const { experiment } = plan.run;
    const outputs = `outputs/found-${experiment}`;
    const writes = files.map((path) => {
      const file = shellQuote(`${outputs}/${path.replace("EXP", experiment)}`);
      return `mkdir -p "$(dirname ${file})"; echo x > ${file}`;
    });
    const command = `echo step 1; ${writes.join("; ")}; ln -s ${experiment} ${outputs}/latest`;
    const found = { ...plan, run: { ...plan.run, command, outputs } };
    await runs.start(found);
    const { outputPath, outputsBeside = [] } = await runs.until(found, "finished");
    const at = (path: string): string => host.home("work", outputs, path.replace("EXP", experiment));
    expect(outputPath).toBe(at(main));
    expect(outputsBeside).toEqual(beside.map(at));
  });

  it("is ended with its results although its supervisor is gone", async () => {
    const plan = runs.plan("");
    const { experiment } = plan.run;
    const out = `outputs/${experiment}`;
    const command = `trap 'echo saved > ${out}/checkpoint; exit' TERM; mkdir -p ${out} outputs/plots; echo step 1; echo x > outputs/plots/loss; while :; do sleep 0.1; done`;
    const trained = { ...plan, run: { ...plan.run, command } };
    await runs.start(trained);
    await runs.until(trained, "running");
    await expect.poll(() => runs.fact(trained, "outputPath").catch(() => ""), { timeout: 20_000 }).not.toBe("");
    await runs.kill(trained, "supervisor");
    const directory = await mkdtemp(join(tmpdir(), "lambda-train-home-"));
    try {
      const place = { instanceId: "i", access: host.sshd.access, run: trained.run, workspace: "work", directory };
      await endRun(place, "destroy", {});
      const home = (path: string): Promise<string> => readFile(join(directory, experiment, path), "utf8");
      expect(await home("checkpoint")).toBe("saved\n");
      expect(await home("beside/plots/loss")).toBe("x\n");
      const left = await host.session.exec(
        `grep -lzxF -e LAMBDA_TRAIN_RUN=${experiment} /proc/[0-9]*/environ 2>/dev/null`,
      );
      expect(left.stdout).toBe("");
    } finally {
      await rm(directory, { recursive: true });
    }
  });

  it.each([
    ["waits", "pgrep -P"],
    ["works", "echo"],
  ])("is not over when the machine goes down while the supervisor %s, however training ends", async (_, list) => {
    const plan = runs.plan("trap 'echo saved; exit 0' TERM; echo step 1; while :; do sleep 0.1; done");
    await runs.start(plan);
    await runs.until(plan, "running");
    const supervisor = await runs.pid(plan, "supervisor");
    // As init does it: to all at once, a program that the supervisor waits for among them.
    const { stdout } = await host.session.exec(
      `${list} ${supervisor}; grep -lzxF -e LAMBDA_TRAIN_RUN=${plan.run.experiment} /proc/[0-9]*/environ | tr -dc '0-9\\n'`,
    );
    await host.session.exec(`kill -TERM ${supervisor} ${stdout.trim().split("\n").join(" ")}`);
    const { exitCode, stopReason } = await runs.until(plan, "failed");
    expect({ exitCode, stopReason }).toEqual({ exitCode: undefined, stopReason: undefined });
    expect((await runs.start(plan)).said).toContain("started: attempt 2");
    await runs.until(plan, "running");
    await stopRun(host.sshd.access, plan.run, { reason: "test", graceSeconds: 1 });
  });
});

describe("following the log", () => {
  it("loses and repeats nothing over cut connections", async () => {
    const plan = runs.plan("for i in $(seq 1 400); do echo step $i; sleep 0.01; done");
    await runs.start(plan);
    const relay = await startRelay(host.sshd.access.port);
    const cuts = setInterval(() => relay.cut(), 1200);
    let text = "";
    const known = await followLog({ ...host.sshd.access, port: relay.port }, plan.run.experiment, {
      onChunk: (chunk, offset) => {
        expect(offset).toBe(Buffer.byteLength(text));
        text += chunk.toString();
      },
    });
    clearInterval(cuts);
    await relay.close();
    const log = await readFile(host.home(".lambda-train/runs", plan.run.experiment, "train.log"), "utf8");
    expect(text).toBe(log);
    expect(known).toBe(log.length);
    expect(relay.connections).toBeGreaterThan(2);
    let rest = "";
    await followLog(host.sshd.access, plan.run.experiment, {
      start: { byte: known - 5 },
      onChunk: (chunk) => {
        rest += chunk.toString();
      },
    });
    expect(rest).toBe(log.slice(-5));
  });

  it("ends when it is told to", async () => {
    const plan = runs.plan("sleep 60");
    await runs.start(plan);
    const abort = new AbortController();
    const known = await followLog(host.sshd.access, plan.run.experiment, {
      onChunk: () => abort.abort(),
      signal: abort.signal,
    });
    expect(known).toBeGreaterThan(0);
    await stopRun(host.sshd.access, plan.run, { reason: "test", graceSeconds: 1 });
  });

  it("is not a reason to fail while the instance cannot be reached", async () => {
    const plan = runs.plan("echo step 1; sleep 6; echo end");
    await runs.start(plan);
    const relay = await startRelay(host.sshd.access.port);
    const told: string[] = [];
    const waiting = waitForEnd({ ...host.sshd.access, port: relay.port }, plan.run, {
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

it("status works for any log line, and shows nothing of it that steers a terminal", async () => {
  const plan = runs.plan("sleep 60");
  await runs.start(plan);
  const { logPath } = await runs.until(plan, "starting");
  await appendFile(
    logPath,
    Buffer.concat([Buffer.from('progress 1%\rprogress "99%"\t\\ \u001b[31m'), Buffer.from([0xff, 0x00, 0xc3])]),
  );
  const { stdout } = await host.ask("status", { experiment: plan.run.experiment });
  expect(JSON.parse(stdout).lastLine).toMatch(/^progress "99%" \\ *$/);
  await stopRun(host.sshd.access, plan.run, { reason: "test", graceSeconds: 1 });
});
