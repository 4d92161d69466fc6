import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { nothing, type TestCloud } from "../support/cloud";
import { type Ended, Project } from "../support/project";
import { startTinyStack } from "../support/tiny";

/** Prices that rise between the listing and the launch. */
describe("a price that rises", { timeout: 120_000 }, () => {
  const project = new Project();
  const type = "cpu_4x_general";
  let cloud: TestCloud;

  beforeAll(async () => {
    cloud = await startTinyStack(project);
  }, 60_000);
  beforeEach(async () => {
    await cloud.admin.setPrice(type, 20);
    await cloud.admin.setCapacity({ instanceType: "*", region: "*", free: 0 });
    await cloud.admin.removeAllFaults();
  });
  afterAll(() => project.dispose());

  const configure = (changes: object): void => project.configure({ experiment: "configs/tiny.yaml", ...changes });
  /** Starts an `up`, and does something once it has printed a text. */
  const upUntil = async (text: string, then: () => Promise<unknown>): Promise<Ended> => {
    const { child, ended } = project.start(process.execPath, ["dist/cli/up.js"]);
    let output = "";
    child.stdout?.on("data", (chunk: Buffer) => {
      output += chunk.toString();
    });
    while (!output.includes(text) && child.exitCode === null) await sleep(50);
    await then();
    return ended;
  };
  const launchesAt = async (cents: number): Promise<number> => {
    await cloud.admin.setPrice(type, cents);
    return (await cloud.admin.setCapacity({ instanceType: type, region: "us-east-1", free: 5 })).changed;
  };

  it.each([
    ["maxPricePerHour", { maxPricePerHour: 1 }],
    ["budgetDollars", { budgetDollars: 2, expectedHours: 1 }],
  ])("while capacity is waited for is held against %s", async (name, limits) => {
    configure(limits);
    const { code, output } = await upUntil("no capacity now", () => launchesAt(99_900));
    expect(code, output).not.toBe(0);
    expect(output).toMatch(/Every instance type is over the limits\s+while\s+`up`\s+waited\s+for\s+capacity/);
    expect(output.replace(/\s+/g, " ")).toContain(`is over ${name}`);
    expect((await cloud.admin.state()).instances).toEqual([]);
  });

  it("leaves out what is too dear now, says so, and launches what is not", async () => {
    configure({ maxPricePerHour: 1, instanceTypes: [type, "gpu_1x_a10"] });
    await cloud.admin.setPrice("gpu_1x_a10", 50);
    const { output } = await upUntil("no capacity now", async () => {
      await launchesAt(99_900);
      await cloud.admin.setCapacity({ instanceType: "gpu_1x_a10", region: "us-east-1", free: 1 });
    });
    expect(output.replace(/\s+/g, " ")).toContain(`skipping ${type} now: $999.00 per hour is over maxPricePerHour`);
    expect(output).toContain("launched gpu_1x_a10 in us-east-1 at $0.50 per hour");
    const { code, output: down } = await project.run("down", ["--keep-cloud"]);
    expect(code, down).toBe(0);
    expect(await cloud.inventory()).toEqual(nothing);
  });

  it("between the last listing and the launch ends what was launched at once, and says so", async () => {
    configure({ maxPricePerHour: 1 });
    await cloud.admin.setCapacity({ instanceType: type, region: "us-east-1", free: 5 });
    const fault = { match: { operation: "launchInstance" }, times: 1, action: { delayMs: 3000 } };
    const { id } = await cloud.admin.addApiFault(fault);
    const { ended } = project.start(process.execPath, ["dist/cli/up.js"]);
    while ((await cloud.admin.faults()).api.some((each) => each.id === id && each.fired === 0)) await sleep(50);
    await cloud.admin.setPrice(type, 99_900);
    const { code, output } = await ended;
    expect(code, output).not.toBe(0);
    expect(output.replace(/\s+/g, " ")).toMatch(
      /was launched and terminated at once, since \$999\.00 per hour is over/,
    );
    expect((await cloud.inventory()).instances).toEqual([]);
    expect((await cloud.admin.state()).instances.map(({ priceCentsPerHour }) => priceCentsPerHour)).toContain(99_900);
  });

  it("that is within the limits is the one that is told, recorded and billed", async () => {
    configure({ maxPricePerHour: 1 });
    await cloud.admin.setCapacity({ instanceType: type, region: "us-east-1", free: 5 });
    const fault = { match: { operation: "launchInstance" }, times: 1, action: { delayMs: 3000 } };
    const { id } = await cloud.admin.addApiFault(fault);
    const { ended } = project.start(process.execPath, ["dist/cli/up.js"]);
    while ((await cloud.admin.faults()).api.some((each) => each.id === id && each.fired === 0)) await sleep(50);
    await cloud.admin.setPrice(type, 90);
    const { code, output } = await ended;
    expect(code, output).toBe(0);
    expect(output).toContain(`launched ${type} in us-east-1 at $0.90 per hour`);
    expect((await project.outputs()).pricePerHour).toBe(0.9);
    const down = await project.run("down", ["--keep-cloud"]);
    expect(down.code, down.output).toBe(0);
    expect(down.output).toContain("at $0.90 per hour");
    expect(await cloud.inventory()).toEqual(nothing);
  });
});
