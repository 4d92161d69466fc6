import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { nothing, TestCloud } from "../support/cloud";
import { Project } from "../support/project";
import { startTinyStack } from "../support/tiny";

/** What guards money sees of an instance whose `up` was killed in its launch; each test goes on from the one before. */
describe("an instance that its state does not know", { timeout: 120_000 }, () => {
  const project = new Project();
  let cloud: TestCloud;
  let id: string;

  beforeAll(async () => {
    cloud = await startTinyStack(project, { stack: { budgetDollars: 2 } });
    const fault = await cloud.admin.addApiFault({
      match: { operation: "launchInstance" },
      action: { delayMs: 3000 },
    });
    const { child, ended } = project.start(process.execPath, ["dist/cli/up.js"]);
    for (;;) {
      const { api } = await cloud.admin.faults();
      if (api.some((each) => each.id === fault.id && each.fired > 0)) break;
      await sleep(50);
    }
    process.kill(-(child.pid ?? 0), "SIGKILL");
    await ended;
    await cloud.admin.removeAllFaults();
    for (;;) {
      const [first] = (await cloud.inventory()).instances;
      id = first ?? "";
      if (id !== "") break;
      await sleep(100);
    }
    expect(project.stateText()).not.toContain(id);
  }, 120_000);
  afterAll(() => project.dispose());

  it("is shown by status, for people and for scripts, and fails it", async () => {
    const { code, output } = await project.run("status");
    expect(code, output).toBe(1);
    expect(output).not.toMatch(/none is billed|no instance is billed/);
    expect(output).toMatch(/not in the state .*cpu_4x_general in us-east-1 {2}\$0\.20 per hour/);
    expect(output).toContain(id);
    expect(output).toContain("`npm run up` adopts it, `npm run down` terminates it");
    const report = JSON.parse((await project.run("status", ["--json"])).output);
    expect(report).toMatchObject({
      instance: null,
      unknown: null,
      strays: [{ id, type: "cpu_4x_general", region: "us-east-1", dollarsPerHour: 0.2 }],
    });
    expect(Date.parse(report.strays[0].launchedAt)).toBeGreaterThan(Date.now() - 300_000);
  });

  it("counts in what runs now", async () => {
    const { running } = JSON.parse((await project.run("costs", ["--json"])).output);
    expect(running).toMatchObject({ dollarsPerHour: 0.2 });
  });

  it("is told by reap, which does not remove it, and by adopt", async () => {
    for (const args of [[], ["--yes", "--min-age", "0"]]) {
      const { code, output } = await project.run("reap", ["--endpoint", "emulated", ...args]);
      expect(code, output).toBe(1);
      expect(output).not.toContain("No leftovers");
      expect(output).toMatch(new RegExp(`instance ${id} .*stack test launched it, but its state doesn't know it`));
      expect(output).toContain("`npm run up -- --stack test` adopts it");
    }
    const { code, output } = await project.run("adopt");
    expect(code, output).toBe(1);
    expect(output).toContain("`npm run up -- --stack test` adopts the instance");
    expect((await cloud.inventory()).instances).toEqual([id]);
  });

  it("is not taken for nothing where the API cannot be asked", async () => {
    await cloud.admin.addApiFault({ match: { method: "GET" }, action: { answer: "blocked" } });
    const status = await project.run("status");
    expect(status.code, status.output).toBe(4);
    expect(status.output).toContain("unknown whether one is billed");
    const watched = await project.run("watch", ["--destroy"]);
    expect(watched.code, watched.output).toBe(4);
    expect(watched.output).toContain("Couldn't check whether");
    for (const { output } of [status, watched]) expect(output).not.toMatch(/none is billed|no instance is billed/);
    await cloud.admin.removeAllFaults();
    expect((await cloud.inventory()).instances).toEqual([id]);
  });

  it("is not adopted as what it is not: another image than is asked for now, or too dear", async () => {
    project.configure({ experiment: "configs/tiny.yaml", imageFamily: "ubuntu-24-04" });
    const { code, output } = await project.run("up");
    expect(code, output).not.toBe(0);
    const said = output.replace(/\s+/g, " ");
    expect(said).toContain(`Instance ${id} is named`);
    expect(said).toContain("its image lambda-stack-22-04 is not of imageFamily ubuntu-24-04");
    expect(said).toContain("Run `npm run down`, which terminates it, then `npm run up` again");
    project.configure({ experiment: "configs/tiny.yaml", maxPricePerHour: 0.1 });
    expect((await project.fails("up")).replace(/\s+/g, " ")).toContain("$0.20 per hour is over maxPricePerHour $0.10");
    expect((await cloud.inventory()).instances).toEqual([id]);
    project.configure({ experiment: "configs/tiny.yaml", budgetDollars: 2 });
  });

  it("counts against the budget, and watch --destroy ends it", async () => {
    const { code, output } = await project.run("watch");
    expect(code, output).toBe(1);
    expect(output).toContain(`instance ${id} (cpu_4x_general in us-east-1) was launched`);
    project.configure({ experiment: "configs/tiny.yaml", budgetDollars: 0.001 });
    const over = await project.run("watch", ["--json"]);
    expect(over.code, over.output).toBe(10);
    expect(JSON.parse(over.output)).toMatchObject({ outcome: "limit", reason: "budget", strays: [id] });
    const ended = await project.run("watch", ["--destroy"]);
    expect(ended.code, ended.output).toBe(0);
    expect(ended.output).toMatch(new RegExp(`terminating instance ${id}, which the state does not know`));
    cloud = await TestCloud.start(project);
    expect(await cloud.inventory()).toEqual(nothing);
    expect(await project.run("status")).toMatchObject({
      code: 3,
      output: expect.stringContaining("no instance is billed"),
    });
  });
});
