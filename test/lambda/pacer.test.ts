import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, expect, test } from "vitest";
import { cloudClock } from "../../lambda/api/clock";
import { type PaceKind, SharedPacer } from "../../lambda/api/pacer";
import { SimulatedClock } from "../support/simulated-clock";

const root = resolve(__dirname, "../..");
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "lambda-train-pace-"));
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

/**
 * Turns are reserved on a grid of their interval; a busy machine may notice one, the first as well, up to 300 ms of our
 * time late. Processes that did not share would be done in a fraction of the time.
 */
function expectApart(times: readonly number[], seconds: number, scale: number): void {
  const sorted = [...times].sort((a, b) => a - b);
  const first = sorted[0] ?? 0;
  for (const [index, time] of sorted.entries()) {
    expect(time - first).toBeGreaterThanOrEqual(index * seconds * 1000 - 300 * scale);
  }
}

async function turns(pacer: SharedPacer, kind: PaceKind, count: number, now: () => number): Promise<number[]> {
  return Promise.all(
    Array.from({ length: count }, async () => {
      await pacer.turn(kind);
      return now();
    }),
  );
}

test("processes share one second a call between them", async () => {
  const scale = 10;
  const child = (): Promise<{ stdout: string }> =>
    promisify(execFile)(
      process.execPath,
      ["-r", "./engine/typescript.cjs", "test/lambda/pacer-child.ts", folder, String(scale), "6"],
      { cwd: root, timeout: 25_000 },
    );
  const results = await Promise.all([child(), child(), child()]);
  const times = results.flatMap(({ stdout }) => JSON.parse(stdout) as number[]);
  expect(times).toHaveLength(18);
  expectApart(times, 1, scale);
});

test("launches are twelve seconds apart and hold up no other calls", async () => {
  const clock = new SimulatedClock();
  const pacer = new SharedPacer({ folder, identity: () => "a", clock });
  const start = clock.now();
  const both = Promise.all([turns(pacer, "launch", 3, clock.now), turns(pacer, "call", 3, clock.now)]);
  const [launches, calls] = await clock.during(both);
  expectApart(launches, 12, 0);
  expect(Math.max(...calls) - start).toBeLessThan(12_000);
});

test("launches don't queue up behind calls, and come a second apart from each", async () => {
  const clock = new SimulatedClock();
  const pacer = new SharedPacer({ folder, identity: () => "a", clock });
  await clock.during(pacer.turn("launch"));
  const start = clock.now();
  const both = Promise.all([turns(pacer, "call", 40, clock.now), turns(pacer, "launch", 2, clock.now)]);
  const [calls, launches] = await clock.during(both);
  expect(launches.map((time) => time - start)).toEqual([12_000, 24_000]);
  expect(calls).toHaveLength(40);
  expectApart([...launches, ...calls], 1, 0);
});

test("creations come by name, and let two other calls through between them", async () => {
  const clock = new SimulatedClock();
  const pacer = new SharedPacer({ folder, identity: () => "a", clock });
  const order: string[] = [];
  const turn = async (what: string, name?: string): Promise<void> => {
    await pacer.turn("call", { name });
    order.push(what);
  };
  const machines = ["b", "a"].flatMap((name) => [turn(`key ${name}`, name), turn(`ruleset ${name}`, `${name}-us`)]);
  const reads = [1, 2, 3, 4].map((n) => turn(`read ${n}`));
  await clock.during(Promise.all([...machines, ...reads]));
  expect(order).toEqual(["key a", "read 1", "read 2", "ruleset a", "read 3", "read 4", "key b", "ruleset b"]);
});

test("who gives up leaves the line, and takes no other's turn", async () => {
  const clock = new SimulatedClock();
  const pacer = new SharedPacer({ folder, identity: () => "a", clock });
  const giveUp = new AbortController();
  const failing = pacer
    .turn("launch", { signal: giveUp.signal })
    .then(() => pacer.turn("launch", { signal: giveUp.signal }));
  void clock.sleep(5_000).then(() => giveUp.abort(new Error("interrupted")));
  await expect(clock.during(failing)).rejects.toThrow("interrupted");
  const start = clock.now();
  await clock.during(pacer.turn("launch"));
  expect(clock.now() - start).toBe(7_000);
});

test("a refusal holds off the next call of every pacer of that key", async () => {
  const clock = new SimulatedClock();
  const [one, two, other] = ["k", "k", "l"].map((key) => new SharedPacer({ folder, identity: () => key, clock }));
  const start = clock.now();
  await one?.holdOff("call", 20);
  await clock.during(other?.turn("call") ?? Promise.reject());
  expect(clock.now() - start).toBe(0);
  await clock.during(two?.turn("call") ?? Promise.reject());
  expect(clock.now() - start).toBe(20_000);
});

test("a holder that died is passed over", async () => {
  const clock = cloudClock();
  const pacer = new SharedPacer({ folder, identity: () => "a", clock });
  await pacer.turn("call");
  const [file = ""] = readdirSync(folder);
  const lock = join(folder, `${file}.lock`);
  mkdirSync(lock);
  utimesSync(lock, new Date(Date.now() - 60_000), new Date(Date.now() - 60_000));
  const start = Date.now();
  await pacer.turn("call");
  expect(Date.now() - start).toBeLessThan(4_000);
  expect(JSON.parse(readFileSync(join(folder, file), "utf8"))).toHaveProperty("call");
});

test("what the file holds is neither endpoint nor key, and nonsense in it does no harm", async () => {
  const pacer = new SharedPacer({ folder, identity: () => "https://x secret_key", clock: cloudClock(1000) });
  await pacer.turn("call");
  const [file = ""] = readdirSync(folder);
  expect(file).toMatch(/^[0-9a-f]{16}\.json$/);
  expect(readFileSync(join(folder, file), "utf8")).not.toContain("secret");
  for (const nonsense of ["", "{", '{"call":"x","launch":null}', `{"call":1e300}`]) {
    writeFileSync(join(folder, file), nonsense);
    await pacer.turn("call");
  }
});

test("where the folder cannot be written, turns hold within the process", async () => {
  const scale = 10;
  const clock = cloudClock(scale);
  writeFileSync(join(folder, "file"), "");
  const pacer = new SharedPacer({ folder: join(folder, "file", "pace"), identity: () => "a", clock });
  expectApart(await turns(pacer, "call", 4, clock.now), 1, scale);
});
