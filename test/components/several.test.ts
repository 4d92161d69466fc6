import * as pulumi from "@pulumi/pulumi";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { viewOf } from "../../cli/stack/exported";
import { outputsOf } from "../../components/kit/outputs";
import { Machine } from "../../components/machine";
import { Run } from "../../components/run";
import type { Job } from "../../plan/types";
import { machineOf, testPlan } from "../remote/plan";
import { type Mocks, outputValue } from "../support/mocks";
import { startMocks, wholePlan } from "./resources/cloud-answers";

/** A stack with two machines, the second of which has two runs. */
describe("a stack of several machines and runs", () => {
  let mocks: Mocks;
  beforeEach(async () => {
    mocks = await startMocks();
  });
  afterEach(() => mocks.settled());

  const job = (machine: string, name: string, experiment: string): Job =>
    wholePlan({ ...testPlan({ run: { experiment } }), machine, name });
  const jobs = [job("machine", "run", "exp"), job("big", "second", "exp-2"), job("big", "third", "exp-3")];

  const made = async (): Promise<Record<string, unknown>> => {
    const machines = await Promise.all(
      ["machine", "big"].map(async (name) => {
        const there = jobs.filter(({ machine }) => machine === name);
        const plan = { ...(there[0] as Job), runs: there.flatMap((each) => machineOf(each).runs) };
        const machine = new Machine(name, { stack: "test", plan, onChange: "wait", sshSources: ["203.0.113.7/32"] });
        return { instance: machine.instance, ...(await machine.ready) };
      }),
    );
    const runs = machines.flatMap(({ instance, plan, prepared, needs }) =>
      plan.runs.map((planned) => {
        const { id: instanceId, access, bill } = instance;
        const args = { instanceId, access, bill, plan: { ...testPlan(), ...plan, ...planned } };
        return { job: args.plan, run: new Run(planned.name, { ...args, prepared, needs }) };
      }),
    );
    return outputValue(pulumi.output(outputsOf("test", machines, runs)));
  };

  it("has a name of its own for each part, those of the first as in a stack of one", async () => {
    await made();
    const names = mocks.registrations.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    expect(mocks.children("big").map((each) => each.split(" ")[0])).toEqual(
      ["dataset", "environment", "gate", "instance", "standing", "workspace"].map((part) => `big-${part}`),
    );
    expect(names).toEqual(expect.arrayContaining(["instance-vm", "big-instance-vm", "run-train", "third-train"]));
    expect(mocks.of("second-results-guard").inputs.run).toMatchObject({ experiment: "exp-2" });
  });

  it("starts each run on its own machine, when that is ready", async () => {
    await made();
    for (const name of ["second", "third"]) {
      expect(mocks.of(`${name}-watch`).inputs.instanceId).toBe("big-instance-vm-id");
      expect(mocks.comesAfter(`${name}-train`, "big-gate-verify")).toBe(true);
      expect(mocks.comesAfter(`${name}-train`, "gate-verify")).toBe(false);
    }
  });

  it("tags an instance with all experiments that train there", async () => {
    await made();
    expect(mocks.of("instance-vm").inputs.tags).toMatchObject({ experiment: "exp" });
    expect(mocks.of("big-instance-vm").inputs.tags).toMatchObject({ experiment: "exp-2 exp-3" });
  });

  it("is read from its state as what it was made of", async () => {
    await made();
    const resources = mocks.registrations.map(({ type, name, custom, inputs }) => {
      const urn = `urn:pulumi:test::lambda-train::${type}::${name}`;
      return { urn, type, id: custom ? `${name}-id` : undefined, inputs };
    });
    const { machines, runs } = viewOf("test", JSON.stringify({ deployment: { resources } }));
    expect(machines.map(({ machine, instance, access }) => [machine, instance?.id, access?.host])).toEqual([
      ["big", "big-instance-vm-id", "203.0.113.9"],
      ["machine", "instance-vm-id", "203.0.113.9"],
    ]);
    expect(machines.map(({ claims }) => claims?.instanceIds)).toEqual([["big-instance-vm-id"], ["instance-vm-id"]]);
    expect(runs.map(({ name, machine, run, dashboard }) => [name, machine, run.experiment, dashboard?.port])).toEqual([
      ["run", "machine", "exp", 8501],
      ["second", "big", "exp-2", 8501],
      ["third", "big", "exp-3", 8501],
    ]);
  });

  it("has maps by machine and by experiment as outputs", async () => {
    expect(await made()).toMatchObject({
      instanceId: { machine: "instance-vm-id", big: "big-instance-vm-id" },
      experiment: { exp: "exp", "exp-2": "exp-2", "exp-3": "exp-3" },
      runStatus: { exp: "running", "exp-2": "running", "exp-3": "running" },
      sshCommand: "npm run ssh -- --stack test",
    });
  });
});
