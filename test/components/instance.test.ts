import * as pulumi from "@pulumi/pulumi";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Instance } from "../../components/instance";
import type { CloudPlan } from "../../plan/types";
import { testPlan } from "../remote/plan";
import { isKnown, type Mocks, outputValue } from "../support/mocks";
import { privateKeyText, startMocks } from "./resources/cloud-answers";

const dynamic = "pulumi-nodejs:dynamic/lambda-train";

describe("an instance", () => {
  let mocks: Mocks;
  beforeEach(async () => {
    mocks = await startMocks();
  });
  afterEach(() => mocks.settled());

  /** Makes an instance and waits until everything in it is registered. */
  const made = async (cloud: Partial<CloudPlan> = {}, stack = "test"): Promise<Instance> => {
    const plan = testPlan({ stack });
    const instance = new Instance("box", {
      stack,
      cloud: { ...plan.cloud, ...cloud },
      experiments: [plan.run.experiment],
      onChange: "wait",
      sshSources: ["203.0.113.7/32", "198.51.100.0/24"],
    });
    await outputValue(instance.access);
    return instance;
  };

  it("consists of a claim, keys, a firewall, a claim on launches, a VM and its boot", async () => {
    await made();
    expect(mocks.children(undefined)).toEqual(["box lambda-train:index:Instance"]);
    expect(mocks.children("box")).toEqual(
      [
        "box-suffix random:index/randomId:RandomId",
        `box-claim ${dynamic}:Claim`,
        `box-login ${dynamic}:KeyPair`,
        `box-host ${dynamic}:KeyPair`,
        `box-ssh-key ${dynamic}:SshKey`,
        `box-firewall-us-east-1 ${dynamic}:FirewallRuleset`,
        `box-launches ${dynamic}:LaunchClaim`,
        `box-vm ${dynamic}:Instance`,
        `box-boot ${dynamic}:Boot`,
      ].sort(),
    );
  });

  it("gives everything the unique name of its claim, which is there before anything is rented", async () => {
    await made({ fileSystem: { name: "weights", create: true } });
    expect(mocks.of("box-claim").inputs.name).toBe("lambda-train-test-0a1b2c3d");
    expect(mocks.of("box-ssh-key").inputs.name).toBe("name-of-the-claim");
    expect(mocks.of("box-firewall-us-east-1").inputs.name).toBe("name-of-the-claim-us-east-1");
    expect(mocks.of("box-launches").inputs.name).toBe("name-of-the-claim");
    expect(mocks.of("box-vm").inputs).toMatchObject({
      name: "name-of-the-launch-claim",
      sshKeyName: "name-of-the-ssh-key",
    });
    for (const name of ["box-ssh-key", "box-firewall-us-east-1", "box-launches", "box-vm"]) {
      expect(mocks.comesAfter(name, "box-claim"), name).toBe(true);
    }
  });

  it.each([
    ["My Stack_№1", /^lambda-train-my-stack-1-$/],
    ["a".repeat(100), /^lambda-train-a{24}-$/],
    [`${"b".repeat(23)}.c`, /^lambda-train-b{23}-$/],
  ])("names the stack %s as Lambda takes it", async (stack, expected) => {
    await made({}, stack);
    const { prefix } = mocks.of("box-suffix").inputs;
    expect(prefix).toMatch(expected);
    // The claim takes at most 48 characters, and this is followed by 8.
    expect(String(prefix).length).toBeLessThanOrEqual(40);
  });

  it("claims launches after all that instances use, so that they can be deleted after the last instance", async () => {
    await made({ fileSystem: { name: "weights", create: true }, regions: ["us-east-1"] });
    const { inputs, propertyDependencies } = mocks.of("box-launches");
    const needed = ["box-file-system", "box-firewall-us-east-1", "box-ssh-key"];
    expect(propertyDependencies.needs).toEqual(needed);
    expect([...(inputs.needs as string[])].sort()).toEqual(needed.map((name) => `${name}-id`));
    expect(mocks.comesAfter("box-vm", "box-launches")).toBe(true);
  });

  it("has a firewall ruleset for each region, each open to the caller alone", async () => {
    const regions = ["us-east-1", "us-west-1", "europe-central-1"];
    await made({ regions });
    const rulesets = mocks.registrations.filter(({ type }) => type.endsWith(":FirewallRuleset"));
    expect(rulesets.map(({ inputs }) => inputs.region)).toEqual(regions);
    for (const { inputs, name } of rulesets) {
      expect(inputs.name).toBe(`name-of-the-claim-${inputs.region}`);
      expect(inputs.rules, name).toEqual(
        ["203.0.113.7/32", "198.51.100.0/24"].map((sourceNetwork) =>
          expect.objectContaining({ protocol: "tcp", portRange: [22, 22], sourceNetwork }),
        ),
      );
    }
    expect(mocks.of("box-vm").inputs.rulesetIds).toEqual(
      Object.fromEntries(regions.map((region) => [region, `box-firewall-${region}-id`])),
    );
  });

  it("attaches a file system, and without one asks for none", async () => {
    await made({ fileSystem: { name: "weights", create: true }, regions: ["us-west-1"] });
    expect(mocks.of("box-file-system")).toMatchObject({
      parent: "box",
      inputs: { name: "weights", region: "us-west-1", create: true, endpoint: "emulated" },
    });
    expect(mocks.of("box-vm").inputs.fileSystemNames).toEqual(["weights"]);
    expect(mocks.of("box-vm").propertyDependencies.fileSystemNames).toEqual(["box-file-system"]);
    await mocks.settled();
    mocks = await startMocks();
    await made();
    expect(mocks.children("box").join()).not.toContain("FileSystem");
    expect(mocks.of("box-vm").inputs.fileSystemNames).toBeUndefined();
  });

  it("and what else has its name is deleted before it is replaced, where the user asks for that too: it would be adopted", async () => {
    await made({ fileSystem: { name: "weights", create: true }, regions: ["us-west-1"] });
    for (const name of ["box-vm", "box-ssh-key", "box-firewall-us-west-1", "box-file-system"])
      expect(mocks.of(name).deleteBeforeReplace, name).toBe(true);
  });

  it("launches what the plan says", async () => {
    const cloud = {
      endpoint: "https://cloud.lambda.ai/api/v1",
      instanceTypes: ["gpu_1x_a10", "gpu_1x_h100_pcie"],
      imageFamily: "lambda-stack-22-04",
      capacityTimeoutSeconds: 60,
      bootTimeoutSeconds: 900,
      sshPort: 2222,
      maxPricePerHour: 3,
      budgetDollars: 20,
      expectedHours: 4,
    };
    await made(cloud);
    const { bootTimeoutSeconds, sshPort, ...launch } = cloud;
    expect(mocks.of("box-vm").inputs).toMatchObject({
      ...launch,
      tags: { "managed-by": "lambda-train", stack: "test", experiment: "exp" },
    });
    expect(mocks.of("box-boot").inputs).toMatchObject({ bootTimeoutSeconds, sshPort, instanceId: "box-vm-id" });
    const endpoints = mocks.registrations.filter(({ inputs }) => "endpoint" in inputs);
    expect(endpoints.map(({ name }) => name).sort()).toEqual(
      ["box-boot", "box-claim", "box-firewall-us-east-1", "box-launches", "box-ssh-key", "box-vm"].sort(),
    );
    for (const { inputs, name } of endpoints) expect(inputs.endpoint, name).toBe(cloud.endpoint);
  });

  it("gives the instance the stack's own host key, and knows it by that", async () => {
    const instance = await made();
    const { userData } = mocks.of("box-vm").inputs;
    expect(userData).toContain(`${privateKeyText} box-host`);
    expect(userData).not.toContain(`${privateKeyText} box-login`);
    expect(mocks.of("box-boot").inputs).toMatchObject({
      hostKey: "ssh-ed25519 box-host",
      privateKey: `${privateKeyText} box-login`,
    });
    expect(mocks.of("box-ssh-key").inputs.publicKey).toBe("ssh-ed25519 box-login");
    expect(await outputValue(instance.access)).toEqual({
      host: "203.0.113.9",
      port: 22,
      user: "ubuntu",
      privateKey: `${privateKeyText} box-login`,
      hostKey: "ssh-ed25519 box-host",
    });
  });

  it("keeps private keys secret wherever they are", async () => {
    const instance = await made();
    expect(await pulumi.isSecret(instance.access)).toBe(true);
    expect(mocks.of("box-login").additionalSecretOutputs).toContain("privateKey");
    expect(mocks.of("box-host").additionalSecretOutputs).toContain("privateKey");
    expect(mocks.of("box-vm").open.userData).toBe("[secret]");
    expect(mocks.of("box-boot").open.privateKey).toBe("[secret]");
    expect(JSON.stringify(mocks.registrations.map(({ open }) => open))).not.toContain(privateKeyText);
  });

  it("is previewed without knowing what a launch would answer", async () => {
    await mocks.settled();
    mocks = await startMocks({ preview: true });
    const { cloud } = testPlan();
    const args = {
      stack: "test",
      cloud,
      experiments: ["exp"],
      onChange: "wait" as const,
      sshSources: ["203.0.113.7/32"],
    };
    const instance = new Instance("box", args);
    expect(await isKnown(instance.id)).toBe(false);
    expect(await isKnown(instance.access)).toBe(false);
    expect(mocks.children("box")).toHaveLength(9);
  });
});
