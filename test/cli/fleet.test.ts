import { beforeEach, describe, expect, it, vi } from "vitest";
import { viewOf } from "../../cli/stack/exported";
import { shutOut } from "../../cli/stack/fleet";
import { fleetRule } from "../../lambda/account/fleet-access";
import { exported } from "../support/stack-state";

const getRuleset = vi.fn();
vi.mock("../../cli/stack/stack-cloud", () => ({ connectStack: async () => ({ client: { getRuleset } }) }));

/** A state of two machines that let each other in by a ruleset. */
const view = () => {
  const { deployment } = JSON.parse(exported(["machine", "machine-2"].map((name) => ({ name, runs: [] })))) as {
    deployment: { resources: object[] };
  };
  const accesses = [5, 6].map((last) => ({
    urn: `urn:pulumi:test::lambda-train::t::fleet-machine-${last}-access`,
    type: "pulumi-nodejs:dynamic/lambda-train:FleetAccess",
    inputs: { rulesetIds: { "us-east-1": "r" }, region: "us-east-1", ip: "198.51.100.1", privateIp: `10.19.0.${last}` },
  }));
  return viewOf("test", JSON.stringify({ deployment: { resources: [...deployment.resources, ...accesses] } }));
};

const rules = (...networks: readonly string[]) => ({
  rules: networks.map((sourceNetwork) => ({
    protocol: "tcp",
    portRange: [22, 22],
    sourceNetwork,
    description: fleetRule,
  })),
});

describe("machines of a fleet that the firewall doesn't let in any more", () => {
  beforeEach(() => {
    getRuleset.mockReset();
  });

  it.each([
    [0, ["10.19.0.5/32", "10.19.0.6/32"]],
    [0, ["10.19.0.4/30"]],
    [1, ["10.19.0.5/32"]],
    [2, []],
  ])("are %i where it has rules for %j", async (count, networks) => {
    getRuleset.mockResolvedValue(rules(...networks));
    expect(await shutOut(view())).toBe(count);
  });

  it("are not told of where the firewall can't be read", async () => {
    getRuleset.mockRejectedValue(new Error("blocked"));
    expect(await shutOut(view())).toBe(0);
  });

  it("are not asked for where the stack has one machine", async () => {
    expect(await shutOut(viewOf("test", exported([{ name: "machine", runs: ["run"] }])))).toBe(0);
    expect(getRuleset).not.toHaveBeenCalled();
  });
});
