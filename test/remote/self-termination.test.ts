import { mkdir, readFile, rm, stat, utimes, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ensureScripts } from "../../remote/bundle";
import { readStatus } from "../../remote/run";
import { renderStart } from "../../remote/scripts";
import {
  armSelfTermination,
  beginFetch,
  disarmSelfTermination,
  isSelfTerminationAlive,
  noteFetched,
  type SelfTerminationSettings,
} from "../../remote/self-termination";
import { SshSession } from "../../remote/session";
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

  beforeEach(async () => {
    answers = [200];
    calls = [];
    // One of its own: the home is empty anew, and a session knows what it has put there.
    session = await SshSession.connect(host.sshd.access);
    api = createServer((request, response) => {
      const json = (status: number, body: object): void => {
        response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
      };
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
    await rm(join("/dev/shm/lambda-train", "i-1", experiment), { recursive: true, force: true });
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

  it("does not end while a dataset is sent to it", async () => {
    const scripts = await ensureScripts(session, [
      "transfer.py",
      "entries.py",
      "uploads.py",
      "times.py",
      "place.py",
      "receive.py",
    ]);
    await session.run("mkdir -p .lambda-train/staging/set", "making room");
    const sent = await session.stream(`python3 ${scripts}/receive.py take set`);
    await arm({ after: 600 });
    await utimes(own("active"), 1, 1);
    await becomes("busy");
    expect(calls).toEqual([]);
    for (const stream of [sent.stdout, sent.stderr]) stream.resume();
    sent.stdin.end();
    await sent.exit;
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
