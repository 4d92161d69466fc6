import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { DynamicHandler } from "../../../components/dynamic/handler";
import { handler as rulesets } from "../../../components/resources/firewall-ruleset-handler";
import { handler as accesses } from "../../../components/resources/fleet-access-handler";
import { handler as instances } from "../../../components/resources/instance-handler";
import type { InstanceInputs, InstanceOutputs } from "../../../components/resources/instance-inputs";
import { fleetRule, mergedNetworks } from "../../../lambda/account/fleet-access";
import { connectCloud } from "../../../lambda/api/connect";
import { type Emulated, startWithInputs } from "./emulated";

/** A handler with all its methods. */
function whole<I extends object, O extends object>(handler: DynamicHandler<I, O>): Required<DynamicHandler<I, O>> {
  return handler as Required<DynamicHandler<I, O>>;
}

const { create } = instances as Required<DynamicHandler<InstanceInputs, InstanceOutputs>>;
const ruleset = whole(rulesets);
const access = whole(accesses);
const endpoint = "emulated";
const names = ["0a1b2c3d", "1a1b2c3d", "2a1b2c3d"].map((suffix) => `lambda-train-test-${suffix}`);

let lambda: Emulated;
let inputs: InstanceInputs;
beforeEach(async () => {
  ({ lambda, inputs } = await startWithInputs());
});
afterEach(() => lambda.stop());

const calls = async (action: string): Promise<number> =>
  (await lambda.admin.state()).audit.filter((event) => event.action.includes(action)).length;

describe("a group of instances", () => {
  const member = (at: number, change: Partial<InstanceInputs> = {}) =>
    create({ ...inputs, name: names[at] ?? "", group: names, instances: 3, ...change }, lambda.context);
  const two = { instanceTypes: ["gpu_1x_a10"], regions: ["us-west-1", "us-east-1"] };

  test("is launched in one region, with one table of prices", async () => {
    const made = await Promise.all([0, 1, 2].map((at) => member(at, two)));
    expect(made.map(({ outs }) => outs.region)).toEqual(["us-east-1", "us-east-1", "us-east-1"]);
    expect((await lambda.living()).sort()).toEqual(names);
    expect(lambda.told.filter((line) => line.startsWith("Launching 3 × gpu_1x_a10"))).toHaveLength(1);
  });

  test("has none where one can't be had: what was launched is terminated at once, and tried elsewhere", async () => {
    await lambda.admin.setCapacity({ instanceType: "gpu_1x_a10", region: "us-east-1", free: 2, listed: true });
    const ended = await Promise.allSettled([0, 1, 2].map((at) => member(at)));
    expect(ended.map(({ status }) => status)).toEqual(["rejected", "rejected", "rejected"]);
    expect(await lambda.living()).toEqual([]);
    expect(lambda.told).toContainEqual(expect.stringContaining("2 of 3 gpu_1x_a10 in us-east-1 were launched and are"));
    expect(lambda.told.filter((line) => line.startsWith("bill: "))).toHaveLength(2);

    await lambda.admin.setCapacity({ instanceType: "gpu_1x_a10", region: "us-west-1", free: 5, listed: false });
    const made = await Promise.all([0, 1, 2].map((at) => member(at, two)));
    expect(made.map(({ outs }) => outs.region)).toEqual(["us-west-1", "us-west-1", "us-west-1"]);
  });

  test("gets a lost member alone, in the region of the others", async () => {
    await Promise.all([0, 1, 2].map((at) => member(at)));
    const lost = (await lambda.admin.state()).instances.find(({ name }) => name === names[1]);
    await lambda.admin.terminate(lost?.id ?? "");
    await lambda.admin.setCapacity({ instanceType: "gpu_1x_a10", region: "us-west-1", free: 5, listed: true });
    const { outs } = await member(1, two);
    expect(outs.region).toBe("us-east-1");
    expect((await lambda.living()).sort()).toEqual(names);
  });

  test("takes over what a killed `up` had launched of it", async () => {
    await create({ ...inputs, name: names[2] ?? "" }, lambda.context);
    const made = await Promise.all([0, 1, 2].map((at) => member(at)));
    expect(made.map(({ outs }) => outs.adopted)).toEqual([false, false, true]);
    expect((await lambda.living()).sort()).toEqual(names);
  });

  test("launches nothing where it is interrupted before all of them have come", async () => {
    const one = member(0).catch((error: Error) => error.message);
    setTimeout(() => lambda.interruption.abort(new Error("Interrupted.")), 100);
    expect(await one).toBe("Interrupted.");
    expect(await lambda.living()).toEqual([]);
  });
});

describe("the way between machines", () => {
  const ssh = {
    protocol: "tcp",
    portRange: [22, 22] as [number, number],
    sourceNetwork: "203.0.113.7/32",
    description: "SSH from where the stack is run",
  };
  const given = { name: `${names[0]}-us-east-1`, region: "us-east-1", rules: [ssh], endpoint };
  const rules = async (): Promise<string[]> =>
    (await connectCloud("emulated").client.listRulesets()).flatMap((each) =>
      each.rules.map(({ sourceNetwork, protocol, description }) =>
        description === fleetRule ? `${protocol} ${sourceNetwork}` : sourceNetwork,
      ),
    );
  const machine = (rulesetId: string, last: number, change: object = {}) => ({
    endpoint,
    rulesetIds: { "us-east-1": rulesetId },
    region: "us-east-1",
    ip: `198.51.100.${last}`,
    privateIp: `10.19.0.${last}`,
    ...change,
  });

  test("is open to their own addresses alone: private ones, or public ones from elsewhere or where there are no others", async () => {
    const { id } = await ruleset.create(given, lambda.context);
    await access.create(machine(id, 5), lambda.context);
    await access.create(machine(id, 6, { region: "us-west-1" }), lambda.context);
    const moved = await access.create(machine(id, 7, { privateIp: "" }), lambda.context);
    expect(await rules()).toEqual(["203.0.113.7/32", "tcp 10.19.0.5/32", "tcp 198.51.100.6/32", "tcp 198.51.100.7/32"]);
    await access.update(moved.id, moved.outs, machine(id, 8, { allPorts: true }), lambda.context);
    expect(await rules()).toEqual(["203.0.113.7/32", "all 10.19.0.5/32", "all 10.19.0.8/32", "all 198.51.100.6/32"]);
    await access.delete("", machine(id, 5, { allPorts: true }), lambda.context);
    expect(await rules()).toEqual(["203.0.113.7/32", "all 10.19.0.8/32", "all 198.51.100.6/32"]);
  });

  test("stays open where the caller's rules change, and a refresh sees no change in it", async () => {
    const { id, outs } = await ruleset.create(given, lambda.context);
    await access.create(machine(id, 5), lambda.context);
    const read = await ruleset.read(id, outs, lambda.context);
    expect(read?.props.rules).toEqual([ssh]);
    const moved = { ...given, rules: [{ ...ssh, sourceNetwork: "203.0.113.8/32" }] };
    await ruleset.update(id, outs, moved, lambda.context);
    expect(await rules()).toEqual(["203.0.113.8/32", "tcp 10.19.0.5/32"]);
    await ruleset.delete(id, outs, lambda.context);
    await access.delete("", machine(id, 5), lambda.context);
  });

  test("is seen to be closed by a refresh where somebody took the rules out, and opens again", async () => {
    const { id, outs } = await ruleset.create(given, lambda.context);
    const places = [5, 6].map((last) => machine(id, last));
    for (const place of places) await access.create(place, lambda.context);
    const read = (at: number) => access.read("", places[at] ?? places[0] ?? {}, lambda.context);
    expect((await read(0))?.props).toEqual(places[0]);
    const before = await rules();

    await connectCloud("emulated").client.updateRuleset(id, { rules: outs.rules });
    for (const [at, place] of places.entries()) {
      const seen = await read(at);
      expect(seen?.props.rulesetIds).toEqual({});
      const known = { ...place, ...seen?.props };
      expect(await access.diff("", known, place, lambda.context)).toMatchObject({ changes: true, replaces: [] });
      await access.update("", known, place, lambda.context);
    }
    expect(await rules()).toEqual(before);
    expect((await read(1))?.props).toEqual(places[1]);
  });

  test("is changed by few calls for many machines, and has few rules", async () => {
    const { id } = await ruleset.create(given, lambda.context);
    const before = await calls("update");
    await Promise.all(Array.from({ length: 60 }, (_, at) => access.create(machine(id, at + 2), lambda.context)));
    expect((await calls("update")) - before).toBeLessThanOrEqual(2);
    const networks = (await rules()).slice(1).map((rule) => rule.replace("tcp ", ""));
    expect(networks.length).toBeLessThanOrEqual(19);
    expect(networks.every((network) => network.startsWith("10.19.0."))).toBe(true);
  });

  test.each([
    [["10.0.0.1", "10.0.0.2"], 2, ["10.0.0.1/32", "10.0.0.2/32"]],
    [["10.0.0.3", "10.0.0.2", "172.27.0.9"], 2, ["10.0.0.2/31", "172.27.0.9/32"]],
    [["10.0.0.2/31", "10.0.0.3"], 9, ["10.0.0.2/31"]],
    [["10.0.0.1", "10.0.0.2", "10.0.1.1", "10.0.1.2"], 1, ["10.0.0.0/23"]],
    [["192.168.0.1", "1.2.3.4"], 1, ["0.0.0.0/0"]],
  ])("%j in %i rules are %j", (networks, most, merged) => {
    expect(mergedNetworks(networks, most)).toEqual(merged);
  });

  test("never opens all ports to a wide network", () => {
    expect(() => mergedNetworks(["192.168.0.1", "1.2.3.4"], 1, 16)).toThrow(/too far apart to be merged/);
  });
});
