import { spawnSync } from "node:child_process";
import { globSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { courseOf, noMetrics } from "../../../cli/curves/course";
import { LineReader } from "../../../cli/curves/line";
import { LogCurves } from "../../../cli/curves/log-curves";
import { projectFolder } from "../../../local/paths";

/** What is known of a log: the line of its first training step, and what it tells at its end. */
interface Expected {
  readonly firstStep: string | null;
  readonly step?: number;
  readonly epoch?: number;
  /** NaN and infinities as words. */
  readonly values: Readonly<Record<string, number | string>> | null;
}

const folder = join(projectFolder(), "test/fixtures/logs");
const logs = globSync("*.log", { cwd: folder })
  .sort()
  .map((name) => ({
    name: basename(name, ".log"),
    bytes: readFileSync(join(folder, name)),
    expected: JSON.parse(readFileSync(join(folder, name.replace(/log$/, "json")), "utf8")) as Expected,
  }));

/** What the agent finds: while the log grows, then at its end. */
function firstSteps(): Record<string, { growing: string | null; whole: string | null }> {
  const program = `
import json, os, sys, tempfile
from run.log import Steps
found = {}
for name in sys.argv[2:]:
    content = open(os.path.join(sys.argv[1], name + ".log"), "rb").read()
    with tempfile.NamedTemporaryFile() as log:
        steps, growing = Steps(log.name, 0, None), None
        for at in range(0, len(content), 37):
            log.write(content[at : at + 37])
            log.flush()
            growing = growing or steps.new()
        growing = growing or steps.new() or steps.new(ended=True)
        found[name] = {"growing": growing, "whole": Steps(log.name, 0, None).new(ended=True)}
print(json.dumps(found))
`;
  const names = logs.map(({ name }) => name);
  const { stdout, stderr } = spawnSync("python3", ["-B", "-c", program, folder, ...names], {
    cwd: join(projectFolder(), "scripts/agent"),
    env: { ...process.env, PYTHONPATH: "." },
    encoding: "utf8",
  });
  expect(stderr).toBe("");
  return JSON.parse(stdout);
}

function* cutAt(bytes: Buffer, length: number): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += length) yield bytes.subarray(at, at + length);
}

/** A log by its name. */
function told(bytes: Buffer, chunk: number) {
  const curves = new LogCurves();
  for (const piece of cutAt(bytes, chunk)) {
    curves.push(piece);
    curves.look();
  }
  return courseOf(noMetrics, curves.look());
}

const asWord = (value: number): number | string => (Number.isFinite(value) ? value : String(value));

describe("a log as training writes it", () => {
  const found = firstSteps();

  it.each(logs)("$name has the right first step, whole and as it grows", ({ name, expected }) => {
    expect(found[name]).toEqual({ growing: expected.firstStep, whole: expected.firstStep });
  });

  it.each(logs)("$name tells step, epoch and values at its end, however it comes", ({ bytes, expected }) => {
    for (const chunk of [bytes.length, 61]) {
      const { progress } = told(bytes, chunk);
      if (expected.values === null) {
        expect(progress).toBeNull();
        continue;
      }
      const { step, epoch, values = {} } = progress ?? {};
      const words = Object.fromEntries(Object.entries(values).map(([name, value]) => [name, asWord(value)]));
      expect({ step, epoch, values: words }).toEqual({
        step: expected.step,
        epoch: expected.epoch,
        values: expected.values,
      });
    }
  });
});

describe("lines that are no steps", () => {
  const decoys = readFileSync(join(folder, "decoys.log"), "utf8").split("\n");

  it.each(decoys.filter((line) => !line.startsWith("step 0: val")))("%s", (line) => {
    expect(new LineReader().read(line)).toBeUndefined();
  });
});

describe("the reader", () => {
  const pieces = logs.map(({ bytes }) => bytes.toString("utf8"));

  it("takes any bytes, however they are cut, and stays quick", () => {
    const start = process.cpuUsage().user;
    const part = fc.oneof(
      fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
      fc
        .constantFrom(...pieces)
        .chain((text) =>
          fc.nat(text.length).chain((from) => fc.nat(400).map((size) => Buffer.from(text.slice(from, from + size)))),
        ),
      fc
        .constantFrom("\r", "\n", "a/".repeat(3000), "1:".repeat(3000), "loss ".repeat(1000), "[".repeat(5000))
        .map(Buffer.from),
    );
    fc.assert(
      fc.property(fc.array(part, { maxLength: 20 }), (chunks) => {
        const curves = new LogCurves();
        for (const chunk of chunks) curves.push(chunk);
        const { series } = curves.look({ ended: true });
        for (const { xs } of series) expect(xs.every((x, at) => at === 0 || x >= (xs[at - 1] ?? 0))).toBe(true);
      }),
      { numRuns: 300 },
    );
    expect(process.cpuUsage().user - start).toBeLessThan(20_000_000);
  });

  it("splits a line at a return, and only there and at its end", () => {
    const word = fc.stringMatching(/^[a-z]{1,8}$/);
    fc.assert(
      fc.property(
        fc.array(word, { minLength: 1 }),
        fc.constantFrom("\n", "\r", "\r\n"),
        fc.nat(7),
        (words, end, cut) => {
          const curves = new LogCurves();
          const text = words.map((each, at) => `${each} step ${at} loss ${at / 4}${end}`).join("");
          for (const piece of cutAt(Buffer.from(text), cut + 1)) curves.push(piece);
          expect(curves.look().series).toMatchObject([{ name: "loss", ys: words.map((_, at) => at / 4) }]);
        },
      ),
      { numRuns: 100 },
    );
  });

  it("reads a line of 12 MB of returns and a log of 100 MB in little memory and time", { timeout: 120_000 }, () => {
    const state = "\rEpoch 3:  12%|█▏        | 113/938 [00:01<00:10, 78.1it/s, loss=0.187]";
    const curves = new LogCurves();
    for (const _ of Array(12)) curves.push(Buffer.from(state.repeat(14_000)));
    const noise = Buffer.from(`${"INFO loading shard 12 of many, nothing to see here, 1234 files\n".repeat(16_000)}`);
    const before = process.memoryUsage().rss;
    for (const _ of Array(100)) curves.push(noise);
    curves.push(Buffer.from("x".repeat(12_000_000)));
    expect(process.memoryUsage().rss - before).toBeLessThan(400 * 1024 ** 2);
    expect(curves.look({ ended: true }).series).toMatchObject([{ name: "loss", ys: [0.187] }]);
  });
});
