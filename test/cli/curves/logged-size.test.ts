import { spawnSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
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
