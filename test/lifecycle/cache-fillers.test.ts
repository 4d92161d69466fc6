import { type ChildProcess, execFileSync } from "node:child_process";
import { globSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { random } from "../remote/transfer-place";
import { nothing, type TestCloud } from "../support/cloud";
import { inFleetSuite } from "../support/fleet-suite";
import { type Ended, Project } from "../support/project";
import { startTinyStack } from "../support/tiny";

/** Machines of two stacks that fill one cache, through the real CLI; each test goes on from the one before. */
describe("who fills the file system's cache", { timeout: 300_000 }, () => {
  const project = new Project();
  let cloud: TestCloud;
  let second: NodeJS.ProcessEnv;

  const datasets = (): string =>
    globSync(join(project.folder, ".local/**/filesystems/*/lambda-train/datasets"))[0] ?? "";
  const whole = (): string[] => (datasets() === "" ? [] : readdirSync(datasets()).filter((name) => name[0] !== "."));
  /** Big files that are on their way into the cache. */
  const arriving = (): string[] => globSync(join(project.folder, ".local/**/datasets/.*/files/tree.*/more/big-*"));
  /** Another dataset: whoever sends it takes a while, until the line is free. */
  const otherDataset = async (seed: number): Promise<void> => {
    mkdirSync(join(project.folder, "tiny-data/more"), { recursive: true });
    for (const [n, bytes] of [300_000, 4_000_000, 4_000_000].entries()) {
      writeFileSync(join(project.folder, `tiny-data/more/big-${n}`), random(bytes, 10 * seed + n));
    }
    await cloud.admin.addLinkFault({ match: {}, trouble: { kind: "throttle", bytesPerSecond: 40_000 } });
  };
  const start = (env: NodeJS.ProcessEnv = {}): { child: ChildProcess; ended: Promise<Ended>; said: () => string } => {
    const { child, ended } = project.start(process.execPath, ["dist/cli/up.js"], env);
    let text = "";
    child.stdout?.on("data", (chunk: Buffer) => {
      text += chunk.toString();
    });
    return { child, ended, said: () => text };
  };
  const until = async (what: string, holds: () => boolean, ended: Promise<Ended>): Promise<void> => {
    let early: Ended | undefined;
    void ended.then((end) => {
      early = end;
    });
    while (!holds()) {
      if (early !== undefined) throw new Error(`up ended before ${what}: ${early.output}`);
      await sleep(100);
    }
  };
  /** Ends it with all that it has started: a provider that is alone would go on sending for a while. */
  const kill = async ({ child, ended }: ReturnType<typeof start>): Promise<void> => {
    const lines = execFileSync("ps", ["-eo", "pid=,ppid="], { encoding: "utf8" }).trim().split("\n");
    const all = lines.map((line) => line.trim().split(/ +/).map(Number));
    const below = (pid: number): number[] => [
      pid,
      ...all.flatMap(([own = 0, parent]) => (parent === pid ? below(own) : [])),
    ];
    for (const pid of below(child.pid ?? -1)) process.kill(pid, "SIGKILL");
    await ended;
  };
  const sentFiles = (output: string): number[] => {
    const lines = [...output.matchAll(/datasets\/[0-9a-f]{64}: sent (\d+) files/g)];
    return [...new Set(lines.map(([, count]) => Number(count)))];
  };

  beforeAll(async () => {
    cloud = await startTinyStack(project, {
      dataset: { source: "tiny-data", cache: "fileSystem" },
      train: { waitFor: "end" },
      stack: { fileSystem: "sets", createFileSystem: true },
    });
    second = await project.besides("second");
  });
  afterAll(() => project.dispose());

  it("is one of two that come at once, and the other waits and says so", async () => {
    await otherDataset(1);
    const one = start();
    await until("it sends", () => arriving().length > 0, one.ended);
    const two = start(second);
    const waits = /waiting for machine \([\w-]+\) to fill the cache/;
    await until("it waits", () => waits.test(two.said()), two.ended);
    expect(whole()).toEqual([]);
    await cloud.admin.removeAllFaults();
    const [first, other] = await Promise.all([one.ended, two.ended]);
    expect([first.code, other.code], first.output + other.output).toEqual([0, 0]);
    expect(sentFiles(first.output)).toEqual([6]);
    expect(sentFiles(other.output)).toEqual([]);
    expect(other.output).toMatch(/already in the cache, nothing was sent/);
    expect(whole()).toHaveLength(1);
  });

  inFleetSuite(() => {
    it("leaves no half dataset under its name when its up is killed, and the next up goes on", async () => {
      await otherDataset(2);
      const one = start();
      await until("a file has come", () => arriving().length > 1, one.ended);
      await kill(one);
      expect(whole()).toHaveLength(1);
      await cloud.admin.removeAllFaults();
      const output = await project.succeeds("up");
      const [sent] = sentFiles(output);
      expect(sent, output).toBeGreaterThan(0);
      expect(sent).toBeLessThan(6);
      expect(whole()).toHaveLength(2);
    });

    it("is followed by another where its machine is lost", async () => {
      await otherDataset(3);
      const one = start();
      await until("a file has come", () => arriving().length > 1, one.ended);
      const two = start(second);
      await until("it waits", () => two.said().includes("to fill the cache"), two.ended);
      const { instanceId } = await project.outputs();
      await cloud.admin.terminate(String(instanceId));
      await cloud.admin.removeAllFaults();
      const { code, output } = await two.ended;
      expect(code, output).toBe(0);
      expect(sentFiles(output)[0]).toBeLessThan(6);
      expect(whole()).toHaveLength(3);
      expect((await one.ended).code).not.toBe(0);
    });
  });

  it("leaves nothing behind", async () => {
    await project.succeeds("down", ["--keep-cloud"], second);
    await project.succeeds("down", ["--keep-cloud", "--delete-file-system", "sets"]);
    expect(await cloud.inventory()).toEqual(nothing);
  });
});
