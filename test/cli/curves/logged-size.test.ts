import { spawnSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { courseAtHome } from "../../../cli/curves/at-home";
import { readLogged } from "../../../cli/curves/logged/read";
import { projectFolder } from "../../../local/paths";
import { pictureEvent, scalarEvent } from "../../support/event-file";

const steps = 6000;
const mebibyte = 1024 ** 2;

describe("an event file of 200 MB", { timeout: 120_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), "curves-"));
  const path = join(folder, "events.out.tfevents.1700000000.host");

  beforeAll(() => {
    const file = openSync(path, "w");
    const picture = pictureEvent(mebibyte, 1, 1.7e9);
    for (let step = 0; step < steps; step++) {
      writeSync(file, scalarEvent("train/loss", 1 / (step + 1), step, 1.7e9 + step));
      if (step % 30 === 0) writeSync(file, picture);
    }
    closeSync(file);
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  it("is read in little memory at home", () => {
    const before = process.memoryUsage().rss;
    const began = performance.now();
    const { curves, bytes, lack } = readLogged("x.tfevents", path, Number.POSITIVE_INFINITY);
    const grown = (process.memoryUsage().rss - before) / mebibyte;
    console.log(`${(bytes / mebibyte).toFixed()} MiB in ${(performance.now() - began).toFixed()} ms`);
    expect(bytes).toBeGreaterThan(200 * mebibyte);
    expect(lack).toBeUndefined();
    expect(grown).toBeLessThan(100);
    const { xs = [] } = curves.series.get("train/loss") ?? {};
    expect([xs[0], xs.at(-1)]).toEqual([0, steps - 1]);
    expect(xs.length).toBeLessThan(2001);
  });

  it("is read in little memory on the instance", () => {
    const program = `
import json, resource, sys, time
from curves.files import CurveFile
began, file = time.monotonic(), CurveFile(sys.argv[1])
file.look(1000)
xs, _ = file.curves.points["train/loss"].told()
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps([xs[0], xs[-1], len(xs), peak, time.monotonic() - began]))
`;
    const { stdout, stderr } = spawnSync("python3", ["-B", "-c", program, path], {
      cwd: join(projectFolder(), "scripts/agent"),
      env: { ...process.env, PYTHONPATH: "." },
      encoding: "utf8",
    });
    expect(stderr).toBe("");
    const [first, last, length = 0, peak, seconds = 0] = JSON.parse(stdout) as number[];
    console.log(`read in ${seconds.toFixed(1)} s, peak ${peak?.toFixed()} MiB`);
    expect([first, last]).toEqual([0, steps - 1]);
    expect(length).toBeLessThan(2001);
    expect(peak).toBeLessThan(100);
  });
});

describe("JSON lines and CSV of 70 MB", { timeout: 120_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), "curves-"));
  const rows = 35_000;

  beforeAll(() => {
    const [lines, csv] = ["log.jsonl", "metrics.csv"].map((name) => openSync(join(folder, name), "w"));
    if (lines === undefined || csv === undefined) throw new Error("no files");
    const pad = "x".repeat(2000);
    writeSync(csv, "step,valid_loss,pad\n");
    for (let step = 0; step < rows; step++) {
      writeSync(lines, `${JSON.stringify({ step, loss: 1 / (step + 1), pad })}\n`);
      writeSync(csv, `${step},${1 / (step + 1)},${pad}\n`);
    }
    // Half written.
    writeSync(lines, '{"step": 99999, "lo');
    for (const file of [lines, csv]) closeSync(file);
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  it("are read in little memory at home", () => {
    const before = process.memoryUsage().rss;
    const { series, left } = courseAtHome(folder);
    expect((process.memoryUsage().rss - before) / mebibyte).toBeLessThan(150);
    expect(left).toEqual([]);
    expect(series.map(({ name, xs }) => [name, xs[0], xs.at(-1)]).sort()).toEqual([
      ["loss", 0, rows - 1],
      ["valid_loss", 0, rows - 1],
    ]);
  });

  it("are told in few lines by the instance", () => {
    const program = `
import json, resource, sys
from results.metric_files import read_since
files = read_since(sys.argv[1], "", None)["files"]
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps([{name: [len(text), text.splitlines()[-1][:30]] for name, text in files.items()}, peak]))
`;
    const { stdout, stderr } = spawnSync("python3", ["-B", "-c", program, folder], {
      cwd: join(projectFolder(), "scripts/agent"),
      env: { ...process.env, PYTHONPATH: "." },
      encoding: "utf8",
    });
    expect(stderr).toBe("");
    const [files, peak] = JSON.parse(stdout) as [Record<string, [number, string]>, number];
    expect(files["log.jsonl"]?.[1]).toMatch(`"step": ${rows - 1}`);
    expect(files["metrics.csv"]?.[1]).toMatch(`${rows - 1},`);
    expect(files["log.jsonl"]?.[0]).toBeLessThan(mebibyte);
    expect(peak).toBeLessThan(100);
  });
});
