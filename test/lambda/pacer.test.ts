import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, expect, test } from "vitest";
import { cloudClock } from "../../lambda/api/clock";
import { type PaceKind, SharedPacer } from "../../lambda/api/pacer";

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
      ["-r", "ts-node/register/transpile-only", "test/lambda/pacer-child.ts", folder, String(scale), "6"],
      { cwd: root, timeout: 25_000 },
    );
  const results = await Promise.all([child(), child(), child()]);
  const times = results.flatMap(({ stdout }) => JSON.parse(stdout) as number[]);
  expect(times).toHaveLength(18);
  expectApart(times, 1, scale);
});

test("launches are twelve seconds apart and hold up no other calls", async () => {
  const scale = 10;
  const clock = cloudClock(scale);
  const pacer = new SharedPacer({ folder, identity: () => "a", clock });
  const start = clock.now();
  const [launches, calls] = await Promise.all([
    turns(pacer, "launch", 3, clock.now),
    turns(pacer, "call", 3, clock.now),
  ]);
  expectApart(launches, 12, scale);
  expect(Math.max(...calls) - start).toBeLessThan(12_000);
});

test("launches don't queue up behind calls, and come a second apart from each", async () => {
  const scale = 10;
  const clock = cloudClock(scale);
  const pacer = new SharedPacer({ folder, identity: () => "a", clock });
  await pacer.turn("launch");
  const start = clock.now();
  const calls = turns(pacer, "call", 40, clock.now);
  const launches = await turns(pacer, "launch", 2, clock.now);
  expect(Math.max(...launches) - start).toBeLessThan(30_000);
  expectApart([...launches, ...(await calls)], 1, scale);
});

test("a refusal holds off the next call of every pacer of that key", async () => {
  const clock = cloudClock(10);
  const [one, two, other] = ["k", "k", "l"].map((key) => new SharedPacer({ folder, identity: () => key, clock }));
  const start = clock.now();
  await one?.holdOff("call", 20);
  await other?.turn("call");
  expect(clock.now() - start).toBeLessThan(15_000);
  await two?.turn("call");
  expect(clock.now() - start).toBeGreaterThanOrEqual(19_500);
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
