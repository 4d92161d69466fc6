import { spawn } from "node:child_process";
import { once } from "node:events";
import { appendFile, mkdir, readFile, rename, stat, truncate, writeFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { type FollowOptions, followLog, followOn, LogPlace, type LogStart } from "../../remote/follow";
import { logLines } from "../../remote/log-text";
import { readStatus } from "../../remote/run";
import { withSession } from "../../remote/session";
import { type Relay, startRelay } from "../support/relay";
import { useScriptHost } from "./script-host";

const host = useScriptHost();
const folder = ".lambda-train/runs/exp";

/** A run whose supervisor is a process that lives as long as the test wants. */
async function makeRun(log: string | Buffer, times = ""): Promise<{ path: string; end: () => Promise<void> }> {
  await mkdir(host.home(folder, "attempts/1"), { recursive: true });
  await writeFile(host.home(folder, "attempt"), "1\n");
  await writeFile(host.home(folder, "log.times"), times);
  await writeFile(host.home(folder, "train.log"), log);
  const supervisor = await host.session.stream("echo $$; exec cat");
  const [first] = (await once(supervisor.stdout, "data")) as [Buffer];
  supervisor.stdout.resume();
  const pid = first.toString().trim();
  const fields = (await readFile(`/proc/${pid}/stat`, "utf8")).split(") ")[1]?.split(" ") ?? [];
  const boot = (await readFile("/proc/sys/kernel/random/boot_id", "utf8")).trim();
  await writeFile(host.home(folder, "attempts/1/supervisor"), `${pid} ${fields[19]} ${boot}\n`);
  return {
    path: host.home(folder, "train.log"),
    end: async () => {
      supervisor.stdin.end();
      await supervisor.exit;
    },
  };
}

const counting = 'pgrep -fc "$HOME/.lambda-train/agent/[^ ]* [s]erve$" || true';

const over = (relay: Relay) => ({ ...host.sshd.access, port: relay.port });

/** Follows into a buffer. */
function reader(access: typeof host.sshd.access, options: Partial<FollowOptions> = {}) {
  const chunks: Buffer[] = [];
  const told: string[] = [];
  const ended = followLog(access, "exp", {
    onChunk: (chunk) => void chunks.push(Buffer.from(chunk)),
    onProgress: (line) => void told.push(line),
    ...options,
  });
  return { ended, told, bytes: () => Buffer.concat(chunks) };
}

/** What is read from a start on where nothing runs. */
async function readOnce(start: LogStart): Promise<string> {
  const { ended, bytes } = reader(host.sshd.access, { start, once: true });
  await ended;
  return bytes().toString();
}

describe("following a log", { timeout: 60_000 }, () => {
  it("over a connection that is cut again and again loses and repeats nothing, for two readers", async () => {
    const run = await makeRun("");
    const relay = await startRelay(host.sshd.access.port);
    const readers = [reader(over(relay)), reader(over(relay))];
    const cuts = setInterval(() => relay.cut(), 400);
    let written = "";
    for (let number = 0; number < 300; number++) {
      // Two-byte and four-byte characters, and now and then a line longer than any packet.
      const line = `${number} straße 🚂 ${number % 50 === 0 ? "x".repeat(300_000) : ""}\n`;
      written += line;
      await appendFile(run.path, line);
      await sleep(10);
    }
    clearInterval(cuts);
    await run.end();
    await Promise.all(readers.map(({ ended }) => ended));
    await relay.close();
    for (const { bytes } of readers) expect(bytes().equals(Buffer.from(written))).toBe(true);
    expect(relay.connections).toBeGreaterThan(5);
  });

  it("takes up a log anew that is cut short or replaced, also while the connection is lost", async () => {
    const run = await makeRun("one\ntwo\n");
    const relay = await startRelay(host.sshd.access.port);
    const { ended, told, bytes } = reader(over(relay));
    const shows = async (text: string): Promise<void> => {
      for (let tries = 0; bytes().toString() !== text; tries++) {
        if (tries > 200) throw new Error(`${bytes()} is not ${text}; told: ${told.join()}`);
        await sleep(50);
      }
    };
    await shows("one\ntwo\n");
    await truncate(run.path);
    await appendFile(run.path, "cut\n");
    await shows("one\ntwo\ncut\n");
    await rename(run.path, `${run.path}.1`);
    await writeFile(run.path, "new\n");
    await shows("one\ntwo\ncut\nnew\n");
    relay.refuse();
    relay.cut();
    await writeFile(run.path, "another one, longer than before\n");
    relay.accept();
    await shows("one\ntwo\ncut\nnew\nanother one, longer than before\n");
    await run.end();
    await ended;
    await relay.close();
    expect(told.filter((line) => line.includes("from its beginning"))).toHaveLength(3);
  });

  it("begins with as many lines as people count, whatever its progress bars have drawn", async () => {
    const bar = Array.from(
      { length: 100_000 },
      (_, at) => `\r${at} % of a progress bar, which has as many characters as here: ${at}`,
    );
    const lines = ["one", "two", `a${bar.join("")}`, "three\r", "", `b${bar.join("")}`];
    const run = await makeRun(lines.join("\n"));
    await run.end();
    const shown = async (count: number, barBytes?: number): Promise<string> => {
      const { ended, bytes } = reader(host.sshd.access, { start: { lines: count }, once: true, barBytes });
      await ended;
      return bytes().toString();
    };
    const last = bar.at(-1)?.slice(1) ?? "";
    const five = await shown(5, 0);
    expect(five.length).toBeLessThan(1000);
    expect(logLines(five)).toEqual(["two", last, "three", last]);
    expect(five.split("\n")).toHaveLength(5);
    expect((await shown(1, 0)).endsWith(last)).toBe(true);
    const some = await shown(5, 10_000);
    expect(some.length).toBeGreaterThan(15_000);
    expect(some.length).toBeLessThan(25_000);
    expect(await shown(5)).toBe(lines.slice(1).join("\n"));
  });

  it("goes on behind the last lines with what comes, and says nothing of a log that is the same", async () => {
    const run = await makeRun(`one\n${"x\r".repeat(5000)}two\nthree\r`);
    const { ended, told, bytes } = reader(host.sshd.access, { start: { lines: 2 }, barBytes: 0 });
    for (let tries = 0; bytes().length === 0 && tries < 100; tries++) await sleep(50);
    await appendFile(run.path, "four\nfive\n");
    await run.end();
    await ended;
    expect(logLines(bytes().toString())).toEqual(["two", "four", "five"]);
    expect(told).toEqual([]);
  });

  it("leaves nothing on the instance when it is ended or loses its connection", async () => {
    const run = await makeRun("one\n");
    const abort = new AbortController();
    const relay = await startRelay(host.sshd.access.port);
    const stopped = reader(host.sshd.access, { signal: abort.signal });
    const lost = reader(over(relay), { signal: abort.signal });
    const left = async (): Promise<number> => Number(await host.session.run(counting, "counting"));
    for (let tries = 0; (await left()) < 2 && tries < 100; tries++) await sleep(50);
    expect(await left()).toBe(2);
    relay.refuse();
    relay.cut();
    abort.abort();
    await Promise.all([stopped.ended, lost.ended]);
    for (let tries = 0; (await left()) > 0 && tries < 100; tries++) await sleep(50);
    expect(await left()).toBe(0);
    await relay.close();
    await run.end();
  });

  it("shares one process with the questions of its connection, which are answered while it waits", async () => {
    const run = await makeRun("one\n");
    await withSession(host.sshd.access, async (session) => {
      let text = "";
      const take = (chunk: Buffer): void => {
        text += chunk.toString();
      };
      const following = followOn(session, "exp", new LogPlace({ byte: 0 }), { onChunk: take });
      while (text === "") await sleep(20);
      const asked = Date.now();
      expect(await readStatus(session, "exp")).toMatchObject({ state: "starting" });
      expect(Date.now() - asked).toBeLessThan(10_000);
      expect(await host.session.run(counting, "counting")).toBe("1\n");
      await appendFile(run.path, "two\n");
      await run.end();
      expect(await following).toBe(true);
      expect(text).toBe("one\ntwo\n");
    });
  });

  it("begins with the last lines, whether the last one has ended or not", async () => {
    const run = await makeRun(`${Array.from({ length: 30_000 }, (_, i) => `line ${i}`).join("\n")}\n`);
    await run.end();
    expect(await readOnce({ lines: 2 })).toBe("line 29998\nline 29999\n");
    expect((await readOnce({ lines: 20_000 })).split("\n")[0]).toBe("line 10000");
    expect((await readOnce({ lines: 50_000 })).split("\n")[0]).toBe("line 0");
    await appendFile(run.path, "open");
    expect(await readOnce({ lines: 2 })).toBe("line 29999\nopen");
  });

  it("ends at the end that a log had, however fast it grows meanwhile", async () => {
    const run = await makeRun("0\n1\n2\n");
    const writer = spawn("bash", ["-c", 'while echo "a line of a log that never rests"; do :; done >> "$0"', run.path]);
    try {
      while ((await stat(run.path)).size < 1_000_000) await sleep(10);
      expect((await readOnce({ lines: 3 })).replace(/\n$/, "").split("\n")).toHaveLength(3);
      expect(await readOnce({ byte: 0 })).toMatch(/^0\n1\n2\na line/);
    } finally {
      writer.kill();
      await once(writer, "exit");
      await run.end();
    }
  });

  it("begins with what was written since a time, at the beginning of a line", async () => {
    const run = await makeRun("old\nlater\nlast\n", "100 0\n105 6\n200 10\n");
    await run.end();
    expect(await readOnce({ since: 99 })).toBe("old\nlater\nlast\n");
    expect(await readOnce({ since: 150 })).toBe("later\nlast\n");
    expect(await readOnce({ since: 300 })).toBe("last\n");
    expect(await readOnce({ secondsAgo: 10 })).toBe("last\n");
    await writeFile(run.path, "cut\n");
    expect(await readOnce({ since: 300 })).toBe("cut\n");
  });

  it("waits for a slow reader instead of piling up", async () => {
    const run = await makeRun(Buffer.alloc(30_000_000, "line\n"));
    await run.end();
    let most = 0;
    let busy = 0;
    let length = 0;
    await followLog(host.sshd.access, "exp", {
      onChunk: async (chunk) => {
        most = Math.max(most, ++busy);
        length += chunk.length;
        await sleep(0);
        busy--;
      },
    });
    expect({ most, length }).toEqual({ most: 1, length: 30_000_000 });
  });
});
