import { setTimeout as sleep } from "node:timers/promises";
import { utils } from "ssh2";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { DynamicHandler } from "../../../components/dynamic/handler";
import { unknownValue } from "../../../components/dynamic/unknown";
import { handler as claims } from "../../../components/resources/claim-handler";
import { handler as fileSystems } from "../../../components/resources/file-system-handler";
import { handler as rulesets } from "../../../components/resources/firewall-ruleset-handler";
import { handler as instances } from "../../../components/resources/instance-handler";
import { handler as keyPairs } from "../../../components/resources/key-pair-handler";
import { handler as launchClaims } from "../../../components/resources/launch-claim-handler";
import { handler as sshKeys } from "../../../components/resources/ssh-key-handler";
import { type Cloud, connectCloud } from "../../../lambda/api/connect";
import { Emulated } from "./emulated";

/** A handler with all its methods. */
function whole<I extends object, O extends object>(handler: DynamicHandler<I, O>): Required<DynamicHandler<I, O>> {
  return handler as Required<DynamicHandler<I, O>>;
}

const claim = whole(claims);
const launchClaim = whole(launchClaims);
const fileSystem = whole(fileSystems);
const ruleset = whole(rulesets);
const sshKey = whole(sshKeys);
const keyPair = whole(keyPairs);

const name = "lambda-train-test-0a1b2c3d";
const endpoint = "emulated";
const publicKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ4yZ0cnu0cYc8T0dWDNKPMVbhEPWLg1Z6f8gcFSRKOz one";
const otherKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ4yZ0cnu0cYc8T0dWDNKPMVbhEPWLg1Z6f8gcFSRKOy one";
const ssh = {
  protocol: "tcp",
  portRange: [22, 22] as [number, number],
  sourceNetwork: "203.0.113.7/32",
  description: "SSH",
};

let lambda: Emulated;
let cloud: Cloud;

beforeEach(async () => {
  lambda = await Emulated.start();
  cloud = connectCloud(endpoint);
});

afterEach(() => lambda.stop());

async function launch(given: string, rulesetIds: string[] = []): Promise<string> {
  const keys = await cloud.client.listSshKeys();
  if (keys.every((key) => key.name !== "launcher")) await cloud.client.addSshKey({ name: "launcher", publicKey });
  return cloud.client.launch({
    name: given,
    region: "us-east-1",
    instanceType: "cpu_4x_general",
    sshKeyName: "launcher",
    ...(rulesetIds.length > 0 ? { rulesetIds } : {}),
  });
}

describe("claim", () => {
  test("takes only names that nobody else can have", async () => {
    const reasons = async (given: string): Promise<number> =>
      (await claim.check({ name: given, endpoint }, {}, lambda.context)).failures?.length ?? 0;
    expect(await reasons(name)).toBe(0);
    expect(await reasons(unknownValue)).toBe(0);
    for (const bad of ["lambda-train", "Lambda-train-0a1b2c3d", `lambda-train-${"x".repeat(40)}-0a1b2c3d`, ""]) {
      expect(await reasons(bad)).toBe(1);
    }
  });

  test("is swept after what carried its name moved on, never before", () => {
    const diff = claim.diff(name, { name, endpoint }, { name: unknownValue, endpoint }, lambda.context);
    expect(diff).toMatchObject({ changes: true, replaces: ["name"], deleteBeforeReplace: false });
  });

  test("ends everything of exactly its name, and nothing else", async () => {
    const { client } = cloud;
    const firewall = await client.createRuleset({ name: `${name}-us-east-1`, region: "us-east-1", rules: [ssh] });
    await client.createRuleset({ name: `${name}-us-east-1`, region: "us-west-1", rules: [ssh] });
    await client.createRuleset({ name: `${name}-more`, region: "us-east-1", rules: [ssh] });
    await client.addSshKey({ name, publicKey });
    await client.addSshKey({ name: `${name}x`, publicKey });
    await client.createFileSystem({ name, region: "us-east-1" });
    await launch(name, [firewall.id]);
    await launch(name);
    await launch(`${name}x`);
    const { id, outs } = await claim.create({ name, endpoint }, lambda.context);
    await claim.delete(id, outs, lambda.context);
    expect(await lambda.living()).toEqual([`${name}x`]);
    expect((await client.listSshKeys()).map((key) => key.name).sort()).toEqual([`${name}x`, "launcher"].sort());
    expect((await client.listRulesets()).map((each) => `${each.name} ${each.region}`).sort()).toEqual([
      `${name}-more us-east-1`,
      `${name}-us-east-1 us-west-1`,
    ]);
    expect(await client.listFileSystems()).toHaveLength(1);
    await claim.delete(id, { ...outs, deleteFileSystems: true }, lambda.context);
    expect(await client.listFileSystems()).toHaveLength(0);
  });

  test("ends an instance whose launch was answered after the up had been killed", async () => {
    await cloud.client.addSshKey({ name: "launcher", publicKey });
    await lambda.fault("launchInstance", { delayMs: 300 });
    const inputs = {
      name,
      endpoint,
      instanceTypes: ["cpu_4x_general"],
      regions: ["us-east-1"],
      sshKeyName: "launcher",
      userData: "#",
      capacityTimeoutSeconds: 0,
    };
    // The orphan launches; nobody takes its answer.
    const orphan = instances.create(inputs, lambda.context);
    while ((await lambda.admin.faults()).api[0]?.seen === 0) await new Promise((done) => setTimeout(done, 5));
    await claim.delete(name, { name, endpoint }, lambda.context);
    await orphan;
    expect(await lambda.living()).toEqual([]);
  });
});

test("the claim on launches frees what an instance unknown to the state has", async () => {
  const firewall = await ruleset.create(
    { name: `${name}-us-east-1`, region: "us-east-1", rules: [ssh], endpoint },
    lambda.context,
  );
  await launch(name, [firewall.id]);
  await launch(`${name}x`);
  const { id, outs } = await launchClaim.create({ name, endpoint, needs: [firewall.id] }, lambda.context);
  expect(launchClaim.diff(id, outs, { name, endpoint, needs: ["x"] }, lambda.context)).toMatchObject({
    changes: true,
    replaces: [],
  });
  expect(launchClaim.diff(id, outs, { name: "x", endpoint }, lambda.context)).toMatchObject({
    replaces: ["name"],
    deleteBeforeReplace: false,
  });
  await launchClaim.delete(id, outs, lambda.context);
  expect(await lambda.living()).toEqual([`${name}x`]);
  await ruleset.delete(firewall.id, firewall.outs, lambda.context);
  expect(await cloud.client.listSshKeys()).toHaveLength(1);
});

describe("SSH key", () => {
  const inputs = { name, publicKey, endpoint };

  test("is registered once, and adopted by the next up", async () => {
    const first = await sshKey.create(inputs, lambda.context);
    expect((await sshKey.create({ ...inputs, publicKey: publicKey.replace("one", "two") }, lambda.context)).id).toBe(
      first.id,
    );
    expect(await cloud.client.listSshKeys()).toHaveLength(1);
  });

  test("of another public key under the name is left alone", async () => {
    await sshKey.create(inputs, lambda.context);
    await expect(sshKey.create({ ...inputs, publicKey: otherKey }, lambda.context)).rejects.toThrow(
      /another public key/,
    );
  });

  test("survives a lost answer", async () => {
    await lambda.fault("addSSHKey", { resetAfter: true });
    await sshKey.create(inputs, lambda.context);
    expect(await cloud.client.listSshKeys()).toHaveLength(1);
  });

  test("is read, and gone when it is deleted", async () => {
    const { id, outs } = await sshKey.create(inputs, lambda.context);
    expect(await sshKey.read(id, outs, lambda.context)).toMatchObject({ id, props: inputs });
    await sshKey.delete(id, outs, lambda.context);
    await sshKey.delete(id, outs, lambda.context);
    expect(await sshKey.read(id, outs, lambda.context)).toBeUndefined();
  });

  test("is replaced by another key or name, not by a comment", () => {
    const diff = (change: object): unknown => sshKey.diff("id", inputs, { ...inputs, ...change }, lambda.context);
    expect(diff({ publicKey: `${publicKey} more` })).toMatchObject({ changes: false, replaces: [] });
    expect(diff({ publicKey: otherKey })).toMatchObject({
      changes: true,
      replaces: ["publicKey"],
      deleteBeforeReplace: true,
    });
    expect(diff({ publicKey: unknownValue })).toMatchObject({ replaces: ["publicKey"] });
    expect(diff({ name: "x" })).toMatchObject({ replaces: ["name"] });
  });
});

describe("firewall ruleset", () => {
  const inputs = { name: `${name}-us-east-1`, region: "us-east-1", rules: [ssh], endpoint };

  test("is made, changed in place, adopted and read", async () => {
    const { id, outs } = await ruleset.create(inputs, lambda.context);
    const wider = { ...inputs, rules: [ssh, { protocol: "icmp", sourceNetwork: "0.0.0.0/0", description: "ping" }] };
    await ruleset.update(id, outs, wider, lambda.context);
    expect((await cloud.client.getRuleset(id)).rules).toEqual(wider.rules);
    expect((await ruleset.create(inputs, lambda.context)).id).toBe(id);
    expect((await cloud.client.getRuleset(id)).rules).toEqual([ssh]);
    expect((await ruleset.read(id, outs, lambda.context))?.props).toEqual(outs);
  });

  test("survives a lost answer", async () => {
    await lambda.fault("createFirewallRuleset", { resetAfter: true });
    const { id } = await ruleset.create(inputs, lambda.context);
    expect((await cloud.client.listRulesets()).map((each) => each.id)).toEqual([id]);
  });

  test("tells of global rules that let in more, and of none that lets in no more", async () => {
    const told = async (sourceNetwork: string, portRange: [number, number], protocol = "tcp"): Promise<string> => {
      const rules = [{ protocol, port_range: portRange, source_network: sourceNetwork, description: "" }];
      const { url, apiKey } = cloud.endpoint;
      const headers = { authorization: `Bearer ${apiKey()}`, "content-type": "application/json" };
      const path = `${url}/firewall-rulesets/global`;
      const patch = { method: "PATCH", headers, body: JSON.stringify({ rules }) };
      let { status } = await fetch(path, patch);
      // It doesn't stand in the line of the product's own calls.
      for (; status === 429; { status } = await fetch(path, patch)) await sleep(20);
      expect(status).toBe(200);
      const before = lambda.told.length;
      await ruleset.create(inputs, lambda.context);
      return lambda.told.slice(before).join("\n");
    };
    expect(await told("0.0.0.0/2", [20, 30])).toContain("also let in SSH from 0.0.0.0/2");
    expect(await told("0.0.0.0/2", [20, 30]), "for another region's ruleset").toBe("");
    expect(await told("0.0.0.0/1", [1, 65535], "all")).toContain("also let in SSH from 0.0.0.0/1");
    expect(await told("0.0.0.0/0", [80, 80], "all")).toBe("");
    expect(await told("0.0.0.0/0", [22, 22], "udp")).toBe("");
    expect(await told("0.0.0.0/0", [80, 80])).toBe("");
    expect(await told(ssh.sourceNetwork, [22, 22])).toBe("");
  });

  test("is replaced by another region alone", () => {
    const diff = (change: object): unknown => ruleset.diff("id", inputs, { ...inputs, ...change }, lambda.context);
    expect(diff({ rules: [{ ...ssh, sourceNetwork: "203.0.113.7" }] })).toMatchObject({ changes: false });
    expect(diff({ rules: [{ ...ssh, sourceNetwork: unknownValue }] })).toMatchObject({ changes: true, replaces: [] });
    expect(diff({ rules: unknownValue })).toMatchObject({ changes: true, replaces: [] });
    expect(diff({ name: "x" })).toMatchObject({ changes: true, replaces: [] });
    expect(diff({ region: "us-west-1" })).toMatchObject({ replaces: ["region"] });
  });

  test("is deleted once the instance that has it is gone", async () => {
    const { id, outs } = await ruleset.create(inputs, lambda.context);
    const instance = await launch(name, [id]);
    await lambda.admin.patchSettings({ seconds: { terminating: 120 } });
    await cloud.client.terminate(instance);
    await ruleset.delete(id, outs, lambda.context);
    expect(await ruleset.read(id, outs, lambda.context)).toBeUndefined();
    await ruleset.delete(id, outs, lambda.context);
  });

  test("that stays in use is told", async () => {
    const { id, outs } = await ruleset.create(inputs, lambda.context);
    await launch(name, [id]);
    await expect(ruleset.delete(id, outs, lambda.context)).rejects.toThrow(/still in use after 15 min/);
  });

  test.each([
    ["no ports", { ...ssh, portRange: undefined }],
    ["ports for icmp", { ...ssh, protocol: "icmp" }],
    ["ports the wrong way round", { ...ssh, portRange: [23, 22] }],
    ["a name for a network", { ...ssh, sourceNetwork: "home" }],
    ["a long description", { ...ssh, description: "x".repeat(129) }],
  ])("refuses a rule with %s", async (_name, rule) => {
    const checked = await ruleset.check({ ...inputs, rules: [ssh, rule as typeof ssh] }, {}, lambda.context);
    expect(checked.failures).toMatchObject([{ property: "rules[1]" }]);
  });
});

describe("file system", () => {
  const inputs = { name: "weights", region: "us-east-1", create: true, endpoint };

  test("that the stack made is kept, unless it may be deleted", async () => {
    const { id, outs } = await fileSystem.create(inputs, lambda.context);
    expect(outs).toMatchObject({ created: true, mountPoint: "/lambda/nfs/weights" });
    await fileSystem.delete(id, outs, lambda.context);
    expect(await cloud.client.listFileSystems()).toHaveLength(1);
    expect(lambda.told.at(-1)).toContain("is kept");
    await fileSystem.delete(id, { ...outs, deleteOnDestroy: true }, lambda.context);
    expect(await cloud.client.listFileSystems()).toHaveLength(0);
  });

  test("that existed before is never deleted", async () => {
    await cloud.client.createFileSystem({ name: "weights", region: "us-east-1" });
    const { id, outs } = await fileSystem.create({ ...inputs, deleteOnDestroy: true }, lambda.context);
    expect(outs.created).toBe(false);
    await fileSystem.delete(id, outs, lambda.context);
    expect(await cloud.client.listFileSystems()).toHaveLength(1);
  });

  test("must exist where it is not to be made, and be in the region", async () => {
    await expect(fileSystem.create({ ...inputs, create: false }, lambda.context)).rejects.toThrow(/does not exist/);
    await cloud.client.createFileSystem({ name: "weights", region: "us-west-1" });
    await expect(fileSystem.create(inputs, lambda.context)).rejects.toThrow(/is in us-west-1, not in us-east-1/);
  });

  test("survives a lost answer, and is the stack's then", async () => {
    await lambda.fault("createFilesystem", { resetAfter: true });
    expect((await fileSystem.create(inputs, lambda.context)).outs.created).toBe(true);
    expect(await cloud.client.listFileSystems()).toHaveLength(1);
  });

  test("is read and updated without touching it", async () => {
    const { id, outs } = await fileSystem.create(inputs, lambda.context);
    expect((await fileSystem.read(id, outs, lambda.context))?.props).toEqual(outs);
    const next = await fileSystem.update(id, outs, { ...inputs, deleteOnDestroy: true }, lambda.context);
    expect(next).toEqual({ ...outs, deleteOnDestroy: true });
  });
});

describe("key pair", () => {
  test("is an ed25519 pair in OpenSSH's form whose halves belong together", async () => {
    const { id, outs } = await keyPair.create({ comment: "test" }, lambda.context);
    expect(outs.publicKey).toMatch(/^ssh-ed25519 AAAA\S+ test$/);
    const key = utils.parseKey(outs.privateKey);
    if (key instanceof Error) throw key;
    expect(key.getPublicSSH().toString("base64")).toBe(outs.publicKey.split(" ")[1]);
    expect(id).toMatch(/^SHA256:[\w+/]{43}$/);
    expect((await keyPair.create({}, lambda.context)).outs.privateKey).not.toBe(outs.privateKey);
  });

  test("keeps its keys through a new comment, and not through a new keeper", async () => {
    const { id, outs } = await keyPair.create({ comment: "a" }, lambda.context);
    expect(keyPair.diff(id, outs, { comment: "b" }, lambda.context)).toMatchObject({ changes: true, replaces: [] });
    const next = await keyPair.update(id, outs, { comment: "b c" }, lambda.context);
    expect(next.publicKey).toBe(outs.publicKey.replace(/a$/, "b c"));
    expect(next.privateKey).toBe(outs.privateKey);
    expect(keyPair.diff(id, outs, { comment: "a", keepers: { x: "1" } }, lambda.context)).toMatchObject({
      replaces: ["keepers"],
    });
  });
});
