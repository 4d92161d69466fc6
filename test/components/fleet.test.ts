import { afterEach, describe, expect, it } from "vitest";
import { machinesOf, type StackMachine } from "../../components/machines";
import type { MachinePlan, Plan } from "../../plan/types";
import { machineOf, testPlan } from "../remote/plan";
import type { Mocks } from "../support/mocks";
import { privateKeyText, startMocks, wholePlan } from "./resources/cloud-answers";

/** Machines of a stack that has several, and what lies between them. */
describe("the machines of a stack", () => {
  let mocks: Mocks;
  afterEach(() => mocks.settled());

  const made = async (
    count: number,
    cloud: Partial<MachinePlan["cloud"]> = {},
    more: Partial<MachinePlan> = {},
  ): Promise<StackMachine[]> => {
    mocks = await startMocks();
    const job = wholePlan(testPlan());
    const machines = Array.from({ length: count }, (_, at) => ({
      ...job,
      machine: at === 0 ? "machine" : `machine-${at + 1}`,
      cloud: { ...job.cloud, sshSources: ["203.0.113.7/32"], ...cloud },
      ...more,
    }));
    const plan: Plan = { ...job, machines, runs: machineOf(job).runs };
    const all = await machinesOf(plan);
    await Promise.all(all.map(({ ready }) => ready));
    return all;
  };
  const named = (): string[] => mocks.registrations.map(({ name }) => name);
  const inputs = (): Record<string, unknown> =>
    Object.fromEntries(mocks.registrations.map((each) => [each.name, each.inputs]));

  it("are one, with nothing between it and others", async () => {
    await made(1);
    expect(named().filter((name) => /fleet|nodes|machine-/.test(name))).toEqual([]);
  });

  it("grow from one to three without a change of what is there", async () => {
    await made(1);
    const before = inputs();
    await mocks.settled();
    await made(3);
    const after = inputs();
    for (const [name, given] of Object.entries(before)) expect(after[name], name).toEqual(given);
    const others = named().filter((name) => !(name in before));
    expect(others.every((name) => /^(machine-[23](-|$)|fleet)/.test(name))).toBe(true);
  });

  it("share the first one's firewall", async () => {
    await made(3);
    const rulesets = named().filter((name) => name.includes("-firewall-"));
    expect(rulesets).toEqual(["instance-firewall-us-east-1"]);
    expect(mocks.of("machine-3-instance-vm").inputs.rulesetIds).toEqual({
      "us-east-1": "instance-firewall-us-east-1-id",
    });
    expect(mocks.comesAfter("machine-3-instance-launches", "instance-firewall-us-east-1")).toBe(true);
    expect(mocks.of("fleet-machine-2-access").inputs).not.toHaveProperty("allPorts");
  });

  it("can ask the first before they work, and wait for no other", async () => {
    const [, second] = await made(3);
    const needs = (await second?.ready)?.needs ?? [];
    await mocks.settled();
    expect(needs.length).toBeGreaterThan(0);
    const hub = mocks.of("fleet-machine-2-hub");
    expect(hub.inputs.stdin).toContain('"me":"machine-2"');
    expect(hub.inputs.stdin).not.toContain('"machine-3":');
    expect(mocks.comesAfter("fleet-machine-2-hub", "machine-3-instance-boot")).toBe(false);
    expect(named().filter((name) => name.endsWith("-all"))).toEqual([]);
  });

  it("get a big dataset from the first one, over the way between them, and a small one from home", async () => {
    await made(3, {}, { passesOn: true });
    await mocks.settled();
    const giver = { machine: "machine", instanceId: mocks.of("dataset-upload").inputs.instanceId };
    expect(mocks.of("dataset-upload").inputs).not.toHaveProperty("giver");
    expect(mocks.of("machine-3-dataset-upload").inputs.giver).toEqual(giver);
    expect(mocks.comesAfter("machine-3-dataset-upload", "fleet-machine-3-hub")).toBe(true);
    expect(mocks.comesAfter("machine-3-dataset-upload", "fleet-machine-3-access")).toBe(true);
    expect(mocks.comesAfter("machine-3-dataset-upload", "dataset-upload")).toBe(false);
    await made(3);
    await mocks.settled();
    expect(mocks.of("machine-3-dataset-upload").inputs).not.toHaveProperty("giver");
    expect(mocks.comesAfter("machine-3-dataset-upload", "fleet-machine-3-hub")).toBe(false);
  });

  it("hold the fleet's key, which no input shows", async () => {
    await made(2);
    expect(mocks.of("fleet-machine-hub").inputs.stdin).toContain(`${privateKeyText} fleet-key`);
    expect(JSON.stringify(mocks.registrations.map(({ open }) => open))).not.toContain(privateKeyText);
    expect(mocks.of("fleet-machine-hub").open.create).toBe("bash -s");
  });

  it("are launched together only where one training needs them all", async () => {
    await made(2);
    expect(mocks.of("instance-vm").inputs).not.toHaveProperty("group");
  });
});
