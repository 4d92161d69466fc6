import { mkdir, readdir, readFile, rm, stat, utimes, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { startAgent } from "../../remote/agent";
import { commandIn, loginText } from "../../remote/command";
import { readStatus } from "../../remote/run";
import {
  armSelfTermination,
  beginFetch,
  disarmSelfTermination,
  isSelfTerminationAlive,
  noteFetched,
  type SelfTerminationSettings,
} from "../../remote/self-termination";
import { SshSession } from "../../remote/session";
import { renderStart } from "../../remote/start";
import { testPlan } from "./plan";
import { useScriptHost } from "./script-host";

/** The instance's own watch over its end, against an API of its own. */
describe("an instance that may end itself", { timeout: 60_000 }, () => {
  const host = useScriptHost();
  const key = "secret_key_of_the_instance";
  const experiment = `ended-${process.pid}`;
  let api: Server;
  let session: SshSession;
  /** What the API answers to a termination, the last one for good; 0 drops the connection. */
  let answers: number[];
  let calls: string[];
  /** When the last call was let through that counts against the account's limit of one a second. */
  let takenAt: number;
  let tooEarly: number;
  /** What a call that is too early is told to wait. */
  let retryAfter: string | undefined;

  beforeEach(async () => {
    answers = [200];
    calls = [];
    takenAt = 0;
    tooEarly = 0;
    retryAfter = undefined;
    // One of its own: the home is empty anew, and a session knows what it has put there.
    session = await SshSession.connect(host.sshd.access);
    api = createServer((request, response) => {
      const json = (status: number, body: object): void => {
        response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
      };
      if (Date.now() - takenAt < 1000) {
        tooEarly += 1;
        const headers = { "content-type": "text/plain", ...(retryAfter && { "retry-after": retryAfter }) };
        return response.writeHead(429, headers).end("error code: 1015");
      }
      takenAt = Date.now();
      if (request.headers.authorization !== `Bearer ${key}`) {
        return json(401, { error: { code: "global/invalid-api-key", message: "no" } });
      }
      if (request.method === "GET") return json(200, { data: { id: "i-1", status: "active" } });
      calls.push(`${request.method} ${request.url}`);
      const status = answers.length > 1 ? answers.shift() : answers[0];
      if (status === 0) return request.socket.destroy();
      json(status ?? 200, status === 200 ? { data: {} } : { error: { code: "global/unknown", message: "no" } });
    });
    await new Promise<void>((listening) => api.listen(0, "127.0.0.1", listening));
    // The crontab of whoever runs this is not ours to touch.
    await writeFile(join(host.sshd.bin, "crontab"), "#!/bin/sh\nexit 1\n", { mode: 0o755 });
  });
  afterEach(async () => {
    await disarmSelfTermination(session);
    session.close();
    api.close();
    await rm("/dev/shm/lambda-train/i-1", { recursive: true, force: true });
  });

  const settings = (more: Partial<SelfTerminationSettings> = {}): SelfTerminationSettings => ({
    instance: "i-1",
    url: `http://127.0.0.1:${(api.address() as AddressInfo).port}`,
    after: 1,
    loseResults: false,
    fileSystem: null,
    ...more,
  });
  const arm = (more: Partial<SelfTerminationSettings> = {}) => armSelfTermination(session, settings(more), key);
  const own = (name: string): string => host.home(".lambda-train", "self-terminate", name);
  const last = async () => (await readStatus(session, experiment)).selfTermination?.last;
  const becomes = async (state: string, seconds = 15): Promise<string | undefined> => {
    const deadline = Date.now() + seconds * 1000;
    for (;;) {
      const seen = await last();
      if (seen?.state === state) return seen.text;
      if (Date.now() > deadline) throw new Error(`It is ${JSON.stringify(seen)}, not ${state}.`);
      await sleep(200);
    }
  };
  /** A run that ends at once and leaves a result. */
  const run = async (command = "mkdir -p outputs/mine; echo model >outputs/mine/best; echo step 1"): Promise<void> => {
    const { code, stderr } = await host.send(renderStart(testPlan({ run: { experiment, command } })), session);
    expect(code, stderr).toBe(0);
  };
  const ended = async (): Promise<void> => {
    while (!["finished", "failed"].includes((await readStatus(session, experiment)).state)) await sleep(100);
  };
  const fetchAll = async (): Promise<void> => {
    const status = await readStatus(session, experiment);
    await noteFetched(session, status, (await beginFetch(session, status)) ?? "");
  };
  const termination = "POST /instance-operations/terminate";

  it("waits for its results to be at home, and for nothing to work; retries an API that is down", async () => {
    await run("mkdir -p outputs/mine; echo step 1; until [ -f go ]; do sleep 0.1; done; echo model >outputs/mine/best");
    answers = [0, 500, 200];
    expect(await arm()).toEqual({ survivesReboot: false });
    expect(((await stat(own("key"))).mode & 0o777).toString(8)).toBe("600");
    expect(await isSelfTerminationAlive(session)).toBe(true);
    await becomes("busy");
    await writeFile(host.home("work", "go"), "");
    await ended();
    expect(await becomes("unsafe")).toContain(`the results of ${experiment} are not at home (npm run results)`);
    expect(calls).toEqual([]);
    await fetchAll();
    await becomes("terminating");
    expect(calls.slice(0, 3)).toEqual([termination, termination, termination]);
  });

  it("keeps to one call a second by itself", async () => {
    await run();
    await ended();
    await arm({ loseResults: true, after: 3 });
    await becomes("terminating");
    expect(calls).toEqual([termination]);
    expect(tooEarly).toBe(0);
  });

  it.each([
    ["as the API asks", "2"],
    ["longer each time", undefined],
  ])("waits %s where others of the account take its turns", async (_, asked) => {
    retryAfter = asked;
    await run();
    await ended();
    await arm({ loseResults: true, after: 3 });
    const others = setInterval(() => {
      takenAt = Date.now();
    }, 100);
    try {
      await expect.poll(() => tooEarly, { timeout: 20_000 }).toBeGreaterThan(1);
      expect(calls).toEqual([]);
    } finally {
      clearInterval(others);
    }
    await becomes("terminating", 30);
    expect(calls).toEqual([termination]);
  });

  it("does not end while a dataset is sent to it", async () => {
    const document = { name: "set", root: "set", hash: "h", protected: [] };
    const sent = await startAgent(session, { verb: "upload-apply", document });
    await arm({ after: 600 });
    await utimes(own("active"), 1, 1);
    await becomes("busy");
    expect(calls).toEqual([]);
    for (const stream of [sent.stdout, sent.stderr]) stream.resume();
    sent.stdin.end();
    await sent.exit;
  });

  const noted = 'echo $$ >"$HOME/pid"; exec';
  const notebook = `${noted.replace("exec", "")} export LAMBDA_TRAIN_NOTEBOOK=lambda-train-notebook; exec`;
  const connected =
    "import os, socket, time; s = socket.socket(); s.bind(('127.0.0.1', 0)); s.listen(); " +
    "os.chdir(os.environ['HOME']); os.makedirs('.lambda-train/notebook', exist_ok=True); " +
    "open('.lambda-train/notebook/port', 'w').write(str(s.getsockname()[1])); " +
    "c = socket.create_connection(s.getsockname()); time.sleep(60)";

  it.each([
    [
      "a command of `npm run exec`",
      () => commandIn(session, { folder: "", experiment: "" }, ["bash", "-c", `${noted} sleep 60`]),
    ],
    ["a command of `npm run ssh`", () => loginText([`${noted} sleep 60`])],
    ["what a shell of `npm run ssh` runs", () => loginText([]), 'sleep 60 & echo $! >"$HOME/pid"; wait\n'],
    ["a notebook whose kernel computes", () => `${notebook} python3 -c 'while True: pass'`],
    ["a notebook to which a browser is connected", () => `${notebook} python3 -c "${connected}"`],
  ])("does not end under %s", async (_, text, input = "") => {
    await run();
    await ended();
    const there = await session.stream(await text());
    for (const stream of [there.stdout, there.stderr]) stream.resume();
    if (input !== "") there.stdin.write(input);
    try {
      await expect.poll(() => readFile(host.home("pid"), "utf8").catch(() => "")).not.toBe("");
      await sleep(500);
      await arm({ loseResults: true });
      // Three times as long as it may be idle.
      await sleep(3000);
      expect(await last()).toMatchObject({ state: "busy" });
      expect(calls).toEqual([]);
    } finally {
      await session.exec('kill -KILL "$(cat "$HOME/pid")"');
      there.stdin.end();
    }
    await becomes("terminating");
  });

  it("ends under a shell that runs nothing, and under a notebook that is forgotten", async () => {
    await run();
    await ended();
    const shell = await session.stream(loginText([]));
    const forgotten = await session.stream(`${notebook} sleep 60`);
    for (const { stdout, stderr } of [shell, forgotten]) for (const stream of [stdout, stderr]) stream.resume();
    try {
      await arm({ loseResults: true });
      await becomes("terminating");
    } finally {
      await session.exec('kill -KILL "$(cat "$HOME/pid")"');
      for (const { stdin } of [shell, forgotten]) stdin.end();
    }
  });

  it("takes what was written after the download for results that are nowhere else", async () => {
    await run();
    await ended();
    await arm({ after: 600 });
    await fetchAll();
    await writeFile(host.home("work", "outputs", "mine", "late"), "result");
    await utimes(host.home("work", "outputs", "mine", "late"), 1, 1);
    await arm();
    expect(await becomes("unsafe")).toContain("late was written after the results");
    expect(calls).toEqual([]);
  });

  it("keeps results on a file system, and on nothing that is not mounted", async () => {
    await run();
    await ended();
    await mkdir(host.home("not-mounted"));
    await arm({ fileSystem: host.home("not-mounted") });
    expect(await becomes("unsafe")).toContain("is not mounted");
    expect(calls).toEqual([]);
    await arm({ fileSystem: "/dev/shm" });
    await becomes("terminating");
    const kept = join("/dev/shm/lambda-train/i-1", experiment);
    expect(await readFile(join(kept, "mine", "best"), "utf8")).toBe("model\n");
    expect(await readFile(join(kept, "run", "train.log"), "utf8")).toContain("step 1");
    const { files } = JSON.parse(await readFile(join(kept, "manifest.json"), "utf8"));
    expect(files.map(({ path }: { path: string }) => path).sort()).toEqual(["mine/best", "run/train.log"]);
  });

  it("keeps on a file system what is named as the stack's own, and what another run had put there", async () => {
    await run(
      "mkdir -p outputs/$LAMBDA_TRAIN_RUN/void outputs/run; echo step 1; echo model >outputs/$LAMBDA_TRAIN_RUN/best.pt; echo theirs >outputs/run/train.log; truncate -s 20M outputs/$LAMBDA_TRAIN_RUN/holes",
    );
    await ended();
    const folder = "/dev/shm/lambda-train/i-1";
    const kept = join(folder, experiment);
    await mkdir(kept, { recursive: true });
    await writeFile(join(kept, "of-another-run"), "kept");
    await writeFile(join(kept, "manifest.json"), JSON.stringify({ source: `i-1:${experiment}`, files: [] }));
    await arm({ fileSystem: "/dev/shm" });
    await becomes("terminating");
    const { source, files } = JSON.parse(await readFile(join(kept, "manifest.json"), "utf8"));
    expect(source).toMatch(new RegExp(`^i-1:${experiment}@.`));
    const paths = [
      `${experiment}/best.pt`,
      `${experiment}/holes`,
      `${experiment}/void`,
      "run.workload/train.log",
      "run/train.log",
    ];
    expect(files.map(({ path }: { path: string }) => path).sort()).toEqual(paths);
    expect(await readFile(join(kept, "run.workload", "train.log"), "utf8")).toBe("theirs\n");
    expect(await readdir(join(kept, experiment, "void"))).toEqual([]);
    expect(await stat(join(kept, experiment, "holes"))).toMatchObject({ size: 20 * 2 ** 20, blocks: 0 });
    const [dated = "", ...more] = (await readdir(folder)).filter((name) => name !== experiment);
    expect(more).toEqual([]);
    expect(await readFile(join(folder, dated, "of-another-run"), "utf8")).toBe("kept");
  });

  it("notes what is at home on an instance that does not end itself, too", async () => {
    await run();
    await ended();
    await fetchAll();
    const facts = async (): Promise<unknown> => {
      const { attempts } = JSON.parse(
        await readFile(host.home(".lambda-train/runs", experiment, "state.json"), "utf8"),
      );
      return { fetched: attempts["1"].fetched, fetching: attempts["1"].fetching };
    };
    const home = { fetched: expect.any(Number), fetching: {} };
    expect(await facts()).toEqual(home);
    const status = await readStatus(session, experiment);
    expect(status.selfTermination).toBeUndefined();
    // A download that broke off leaves nothing once a later one has come to its end.
    await beginFetch(session, status);
    await fetchAll();
    expect(await facts()).toEqual(home);
  });

  it("loses results only where it was told to", async () => {
    await run();
    await ended();
    await arm({ loseResults: true });
    await becomes("terminating");
    expect(calls[0]).toBe(termination);
  });

  it("refuses a key that does not serve, without showing it, and keeps nothing of it", async () => {
    const refused = armSelfTermination(session, settings(), "secret_wrong").catch((error: Error) => error);
    const { message } = (await refused) as Error;
    expect(message).toContain("the API refuses the key (401 global/invalid-api-key)");
    expect(message).not.toContain("secret_wrong");
    await expect(stat(own("key"))).rejects.toThrow("ENOENT");
  });

  it("forgets the key and stops watching when it is told to", async () => {
    await arm({ after: 600 });
    await disarmSelfTermination(session);
    await expect(stat(own("key"))).rejects.toThrow("ENOENT");
    expect(await isSelfTerminationAlive(session)).toBe(false);
    expect((await readStatus(session, experiment)).selfTermination).toBeUndefined();
  });
});
