import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { nothing, TestCloud } from "../support/cloud";
import { Project } from "../support/project";
import { trialsOf } from "../support/trials";
import { type CallCounts, countsOf } from "./calls";
import { ConnectionWatch } from "./connections";
import { MemoryWatch } from "./memory";

/** A part of the machines, in the default run of tests: `npm run test:scale` takes a hundred. */
const count = Math.max(4, Math.floor(100 / Number(process.env.SCALE_DIVISOR ?? 100)));
/** Fewer than machines: those that come last find nothing left to do, and end well. */
const trials = Math.ceil(count / 2);
/**
 * How fast the cloud's time runs. Launches are 12 of its seconds apart and 50 ms of ours: at 2 that is 0.8 % more than the
 * limit asks, at 12 it is 5 %.
 */
const timeScale = Number(process.env.SCALE_TIME ?? 12);
/** Most resident memory of one process at home, in MB. The engine's is Pulumi's own. */
const mostMemory = 300;

const experiment = `experiment: light
workload: { source: light }
environment: { setup: null, manager: none }
gate: { gpu: optional, minDiskGiB: 0, modules: [] }
train: { command: "bash train.sh {experiment} {x}", config: null }
evaluate: null
dashboard: null
sweep:
  metric: loss
  grid: { x: [${Array.from({ length: trials }, (_, at) => at + 1).join(", ")}] }
`;

const train = `mkdir -p "outputs/$1"
echo "step 1 loss=$2" | tee "outputs/$1/log.txt"
`;

/** Each test goes on from the one before. */
describe(`${count} machines in one program`, { timeout: 60 * 60_000 }, () => {
  const project = new Project();
  const memory = new MemoryWatch(join(project.folder, ".local"));
  let cloud: TestCloud;

  beforeAll(async () => {
    project.write("light/train.sh", train);
    project.write("configs/light.yaml", experiment);
    project.configure({ experiment: "configs/light.yaml", instances: count });
    await project.init();
    cloud = await TestCloud.start(project, timeScale);
  }, 120_000);
  afterAll(async () => {
    memory.stop();
    await project.dispose();
  });

  /** Runs something, tells what it took, and gives what it asked of the API. */
  const measured = async (
    what: string,
    work: () => Promise<unknown>,
  ): Promise<CallCounts & { seconds: number; connections: number }> => {
    const watch = new ConnectionWatch((await cloud.admin.state()).network);
    const began = Date.now();
    await work();
    const seconds = (Date.now() - began) / 1000;
    const counts = countsOf(await cloud.admin.calls(began), timeScale);
    const { calls, refused, lists, reads } = counts;
    const connections = watch.stop();
    console.log(
      `  ${what}: ${seconds.toFixed(1)} s, ${calls} calls (${lists} lists, ${reads} reads, ${refused} refused), ` +
        `${connections} SSH connections at once`,
    );
    // A second of the cloud is a part of ours: where this machine is busy a call comes as late as the next one is early.
    expect(refused).toBeLessThanOrEqual(2 + calls / 10);
    return { ...counts, seconds, connections };
  };
  const command = (name: string, args: readonly string[] = []): (() => Promise<string>) => {
    return () => project.succeeds(name, args);
  };

  it("are previewed", async () => {
    await measured("preview", command("up", ["--preview-only"]));
    expect((await cloud.inventory()).instances).toEqual([]);
  });

  it("are launched as fast as the API's limits allow, each once", async () => {
    const { launches, launchSeconds, mostLaunchesInTwelve, seconds } = await measured("up", command("up"));
    const least = (count - 1) * 12;
    console.log(
      `  launches: ${launchSeconds.toFixed(0)} s of the cloud, ${(launchSeconds / least).toFixed(3)} × the least; ` +
        `up: ${(seconds * timeScale).toFixed(0)} s of the cloud`,
    );
    console.log(
      `  state: ${(project.stateText().length / 1e6).toFixed(2)} MB, ${(await project.resources()).length} resources`,
    );
    expect([launches, mostLaunchesInTwelve]).toEqual([count, 1]);
    expect((await cloud.inventory()).instances).toHaveLength(count);
  });

  it("train what there is to train", async () => {
    await measured("wait", command("wait", ["--quiet"]));
    expect((await trialsOf(project)).map(({ state }) => state)).toEqual(
      Array.from({ length: trials }, () => "complete"),
    );
  });

  it("are looked at side by side, over few connections", async () => {
    // As many as a command opens at a time, that to the study, and some that are being closed when the next ones open.
    const most = 16 + 1 + 3;
    for (const [name, args] of [
      ["status", []],
      ["results", []],
      ["watch", []],
    ] as const) {
      const { connections } = await measured(name, () => project.run(name, args));
      expect(connections, name).toBeLessThanOrEqual(most);
    }
    await measured("logs", command("logs", ["--no-follow", "--run", "light-t0"]));
  });

  it("are refreshed by one list call", async () => {
    const { lists, reads } = await measured("refresh", async () => {
      const { code, output } = await project.pulumi(["refresh", "--yes", "--skip-preview"]);
      expect(code, output).toBe(0);
    });
    expect([lists, reads]).toEqual([1, 0]);
    expect(await project.succeeds("up")).toMatch(/Resources:\n\s+\d+ unchanged/);
  });

  it("go, and leave nothing but their results", async () => {
    await measured("down", command("down", ["--keep-cloud"]));
    expect(await cloud.inventory()).toEqual(nothing);
    const results = join(project.folder, "results/test");
    const home = readdirSync(results).filter((name) => /^light-t\d+$/.test(name));
    expect(home).toHaveLength(trials);
    for (const name of home) expect(statSync(join(results, name, "manifest.json")).size).toBeGreaterThan(0);
    memory.stop();
    for (const [kind, peak] of memory.peaks) console.log(`  ${kind}: ${peak.toFixed(0)} MB at most`);
    for (const [kind, peak] of memory.peaks) {
      if (kind !== "Pulumi engine" && kind !== "emulated cloud") expect(peak, kind).toBeLessThan(mostMemory);
    }
  });
});
