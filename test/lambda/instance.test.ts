import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { DynamicHandler } from "../../components/dynamic/handler";
import { connectCloud } from "../../components/lambda/api/connect";
import { handler } from "../../components/lambda/handlers/instance";
import type { InstanceInputs, InstanceOutputs } from "../../components/lambda/handlers/instance-inputs";
import { LaunchJournal } from "../../components/lambda/launch/journal";
import { Launcher } from "../../components/lambda/launch/launcher";
import { Emulated } from "./emulated";

const { create, read, update, delete: remove } = handler as Required<DynamicHandler<InstanceInputs, InstanceOutputs>>;
let lambda: Emulated;
let inputs: InstanceInputs;

beforeEach(async () => {
  lambda = await Emulated.start();
  await connectCloud("emulated").client.addSshKey({
    name: "key",
    publicKey: "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ4yZ0cnu0cYc8T0dWDNKPMVbhEPWLg1Z6f8gcFSRKOz",
  });
  inputs = {
    name: "lambda-train-test-0a1b2c3d",
    endpoint: "emulated",
    instanceTypes: ["gpu_1x_a10"],
    regions: ["us-east-1"],
    sshKeyName: "key",
    userData: "#cloud-config\nssh_keys: {}\n",
    capacityTimeoutSeconds: 0,
  };
  await lambda.admin.setCapacity({ instanceType: "*", region: "*", free: 0, listed: "auto" });
  await lambda.admin.setCapacity({ instanceType: "gpu_1x_a10", region: "us-east-1", free: 5 });
});

afterEach(() => lambda.stop());

async function launches(): Promise<number> {
  const { audit } = await lambda.admin.state();
  return audit.filter((event) => event.action.includes("launch")).length;
}

describe("create", () => {
  test("launches, and returns as soon as the id is known with all but the user data", async () => {
    const { id, outs } = await create({ ...inputs, tags: { team: "ink" } }, lambda.context);
    const record = await lambda.admin.instance(id);
    expect(record).toMatchObject({ name: inputs.name, status: "booting", sshKeyNames: ["key"] });
    expect(record.tags).toContainEqual({ key: "team", value: "ink" });
    expect(outs).toMatchObject({
      instanceType: "gpu_1x_a10",
      region: "us-east-1",
      pricePerHour: 1.29,
      gpus: 1,
      adopted: false,
    });
    expect(outs.architecture).toBe("x86_64");
    expect(JSON.stringify(outs)).not.toContain("cloud-config");
  });

  test("adopts what an interrupted up launched under the name", async () => {
    const first = await create(inputs, lambda.context);
    const second = await create(inputs, lambda.context);
    expect(second.id).toBe(first.id);
    expect(second.outs.adopted).toBe(true);
    expect(await lambda.living()).toHaveLength(1);
  });

  test("adopts by the id that this machine noted, where the list does not show it yet", async () => {
    const first = await create(inputs, lambda.context);
    await lambda.fault(
      "listInstances",
      { answer: { status: 200, body: '{"data":[]}', contentType: "application/json" } },
      5,
    );
    expect((await create(inputs, lambda.context)).id).toBe(first.id);
  });

  test("does not adopt what is terminating", async () => {
    const first = await create(inputs, lambda.context);
    await lambda.admin.terminate(first.id);
    expect((await create(inputs, lambda.context)).id).not.toBe(first.id);
  });

  test("refuses to adopt what would be another machine, and leaves it running", async () => {
    await create(inputs, lambda.context);
    await expect(create({ ...inputs, userData: "#other" }, lambda.context)).rejects.toThrow(/other user data/);
    await expect(create({ ...inputs, instanceTypes: ["gpu_1x_a100"] }, lambda.context)).rejects.toThrow(
      /gpu_1x_a10 is not in instanceTypes/,
    );
    expect(await lambda.living()).toHaveLength(1);
  });

  test("stops where several carry the name, names them all, and touches none", async () => {
    const first = await create(inputs, lambda.context);
    const other = await create({ ...inputs, name: "lambda-train-test-ffffffff" }, lambda.context);
    await update(other.id, other.outs, { ...inputs }, lambda.context);
    const failure = create(inputs, lambda.context);
    await expect(failure).rejects.toThrow(first.id);
    await expect(failure).rejects.toThrow(other.id);
    expect(await lambda.living()).toHaveLength(2);
  });

  test("goes on to the next place where a listed one refuses", async () => {
    await lambda.admin.setCapacity({ instanceType: "gpu_1x_a10", region: "us-east-1", free: 0, listed: true });
    await lambda.admin.setCapacity({ instanceType: "gpu_1x_a100", region: "us-west-1", free: 1 });
    const wide = { ...inputs, instanceTypes: ["gpu_1x_a10", "gpu_1x_a100"], regions: ["us-east-1", "us-west-1"] };
    const { outs } = await create(wide, lambda.context);
    expect(outs).toMatchObject({ instanceType: "gpu_1x_a100", region: "us-west-1" });
  });

  test("waits for capacity and tells that it does", async () => {
    await lambda.admin.setCapacity({ instanceType: "gpu_1x_a10", region: "us-east-1", free: 0 });
    const waiting = create({ ...inputs, capacityTimeoutSeconds: 3600 }, lambda.context);
    await new Promise((done) => setTimeout(done, 500));
    await lambda.admin.setCapacity({ instanceType: "gpu_1x_a10", region: "us-east-1", free: 1 });
    await waiting;
    expect(lambda.told.join("\n")).toMatch(/waiting for capacity since \d+ (s|min): gpu_1x_a10 in us-east-1/);
    expect(lambda.told.length).toBeLessThan(8);
  });

  test("gives up after the capacity timeout and tells where there is some", async () => {
    await lambda.admin.setCapacity({ instanceType: "gpu_1x_a10", region: "us-east-1", free: 0 });
    await lambda.admin.setCapacity({ instanceType: "gpu_1x_a10", region: "us-west-1", free: 1 });
    const failure = create({ ...inputs, capacityTimeoutSeconds: 60 }, lambda.context);
    await expect(failure).rejects.toThrow(/No capacity within 60 s.*gpu_1x_a10 in us-west-1/);
    expect(await lambda.living()).toEqual([]);
  });

  test.each([
    ["quota", { quota: { instances: 0 } }, /quota-exceeded/],
    ["billing", { account: { state: "invalid-address" as const } }, /billing address/],
  ])("stops at once at %s", async (_name, settings, message) => {
    await lambda.admin.patchSettings(settings);
    await expect(create({ ...inputs, capacityTimeoutSeconds: 3600 }, lambda.context)).rejects.toThrow(message);
    expect(await lambda.living()).toEqual([]);
  });

  test("checks names and limits before anything is launched", async () => {
    await expect(create({ ...inputs, instanceTypes: ["gpu_1x_a01"] }, lambda.context)).rejects.toThrow(
      /Did you mean .*gpu_1x_a10/,
    );
    await expect(create({ ...inputs, regions: ["us-east"] }, lambda.context)).rejects.toThrow(/No region "us-east"/);
    await expect(create({ ...inputs, maxPricePerHour: 1 }, lambda.context)).rejects.toThrow(/over maxPricePerHour/);
    await expect(create({ ...inputs, fileSystemNames: ["x"] }, lambda.context)).rejects.toThrow(/No file system "x"/);
    expect(await lambda.living()).toEqual([]);
  });

  test("finds the instance of a launch whose answer was lost", async () => {
    await lambda.fault("launchInstance", { resetAfter: true });
    const { outs } = await create(inputs, lambda.context);
    expect(outs.adopted).toBe(true);
    expect(await lambda.living()).toEqual([inputs.name]);
  });

  test("launches again only after a launch was certainly not executed", async () => {
    await lambda.fault("launchInstance", { answer: "bad-gateway" });
    const start = Date.now();
    const { outs } = await create(inputs, lambda.context);
    expect(Date.now() - start).toBeGreaterThan(4_500);
    expect(outs.adopted).toBe(false);
    expect(await lambda.living()).toEqual([inputs.name]);
  });

  test("waits for what a killed process may have launched, and adopts it", async () => {
    const cloud = connectCloud("emulated");
    const journal = new LaunchJournal(join(lambda.folder, "cache", "launch"), `${cloud.endpoint.url} ${inputs.name}`);
    journal.write({ sentAt: cloud.clock.now() });
    const late = new Promise<string>((done) => {
      const { name, userData, sshKeyName } = inputs;
      const request = { name, userData, sshKeyName, region: "us-east-1", instanceType: "gpu_1x_a10" };
      setTimeout(() => done(cloud.client.launch(request)), 400);
    });
    const { id, outs } = await create(inputs, lambda.context);
    expect(outs.adopted).toBe(true);
    expect(id).toBe(await late);
    expect(await lambda.living()).toHaveLength(1);
  });

  test("launches nothing once the engine is gone, not even after a wait", async () => {
    lambda.engine = () => false;
    await expect(create(inputs, lambda.context)).rejects.toThrow(/engine that asked .* is gone/);
    await lambda.admin.setCapacity({ instanceType: "gpu_1x_a10", region: "us-east-1", free: 0 });
    let asked = 0;
    lambda.engine = () => ++asked < 3;
    await expect(create({ ...inputs, capacityTimeoutSeconds: 36_000 }, lambda.context)).rejects.toThrow(/is gone/);
    expect(await launches()).toBe(0);
  });

  test("at the same time from two processes launches once", async () => {
    await lambda.fault("launchInstance", { delayMs: 400 });
    const [one, two] = await Promise.all([create(inputs, lambda.context), create(inputs, lambda.context)]);
    expect(one.id).toBe(two.id);
    expect(await lambda.living()).toHaveLength(1);
    expect(lambda.told.join()).toContain("waiting for another process");
  });

  test("looks again for the name once it holds it", async () => {
    await lambda.fault("launchInstance", { delayMs: 400 });
    const first = create(inputs, lambda.context);
    await vi.waitFor(async () => expect((await lambda.admin.faults()).api[0]?.fired).toBe(1));
    const { sshKeyName, userData } = inputs;
    const launcher = new Launcher(connectCloud("emulated"), inputs.name, lambda.context);
    const second = await launcher.launch({ sshKeyName, userData, region: "us-east-1", instanceType: "gpu_1x_a10" });
    expect(second).toMatchObject({ adopted: true, instance: { id: (await first).id } });
    expect(await lambda.living()).toHaveLength(1);
  });
});

describe("read", () => {
  test("refreshes name and tags, and hides the tags by which we know it", async () => {
    const { id, outs } = await create(inputs, lambda.context);
    const fresh = await read(id, outs, lambda.context);
    expect(fresh?.props).toEqual({ ...outs, tags: undefined });
    expect(fresh?.inputs).toBeUndefined();
  });

  test("finds it gone when it is terminating, or was never there", async () => {
    const { id, outs } = await create(inputs, lambda.context);
    await lambda.admin.terminate(id);
    expect(await read(id, outs, lambda.context)).toBeUndefined();
    expect(await read("0".repeat(32), outs, lambda.context)).toBeUndefined();
  });

  test("fails where the API does, rather than calling it gone", async () => {
    const { id, outs } = await create(inputs, lambda.context);
    await lambda.admin.patchSettings({ account: { state: "inactive" } });
    await expect(read(id, outs, lambda.context)).rejects.toThrow(/account/i);
  });

  test("of an import gives inputs that leave nothing to do", async () => {
    const { id } = await create({ ...inputs, tags: { team: "ink" } }, lambda.context);
    const found = await read(id, { endpoint: "emulated" } as InstanceOutputs, lambda.context);
    expect(found?.inputs).toMatchObject({ name: inputs.name, instanceTypes: ["gpu_1x_a10"], tags: { team: "ink" } });
    const wanted = { ...inputs, tags: { team: "ink" }, capacityTimeoutSeconds: 900 };
    expect(handler.diff(id, found?.props as InstanceOutputs, wanted, lambda.context)).toMatchObject({ changes: false });
  });
});

describe("update", () => {
  test("renames and replaces the user's tags, keeping what the instance is", async () => {
    const { id, outs } = await create({ ...inputs, tags: { a2: "1" } }, lambda.context);
    const next = await update(
      id,
      outs,
      { ...inputs, name: "lambda-train-new-00000000", tags: { b2: "2" } },
      lambda.context,
    );
    const { name, tags } = await lambda.admin.instance(id);
    expect(name).toBe("lambda-train-new-00000000");
    expect(tags.map(({ key }) => key).sort()).toEqual(["b2", "lambda-train:claim", "lambda-train:user-data"]);
    expect(next).toMatchObject({
      name,
      tags: { b2: "2" },
      instanceType: "gpu_1x_a10",
      userDataSha256: outs.userDataSha256,
    });
  });

  test("of what is only recorded calls nothing", async () => {
    const { id, outs } = await create(inputs, lambda.context);
    await lambda.fault("updateInstance", { answer: "blocked" });
    expect(await update(id, outs, { ...inputs, budgetDollars: 9 }, lambda.context)).toMatchObject({ budgetDollars: 9 });
  });
});

describe("delete", () => {
  test("terminates and waits until the API confirms that it is gone", async () => {
    const { id, outs } = await create(inputs, lambda.context);
    await remove(id, outs, lambda.context);
    expect((await lambda.admin.instance(id)).status).toBe("terminated");
    expect(lambda.told.at(-1)).toContain("is terminated");
    await remove(id, outs, lambda.context);
    expect(lambda.told.at(-1)).toContain("was gone already");
  });

  test("joins a termination that goes on, without terminating twice", async () => {
    const { id, outs } = await create(inputs, lambda.context);
    await lambda.admin.terminate(id);
    await lambda.fault("terminateInstance", { answer: "blocked" });
    await remove(id, outs, lambda.context);
  });

  test.each([
    ["trouble before it", { answer: "server-error" as const }],
    ["a lost answer", { resetAfter: true }],
  ])("gets through %s", async (_name, action) => {
    const { id, outs } = await create(inputs, lambda.context);
    await lambda.fault("terminateInstance", action, 2);
    await remove(id, outs, lambda.context);
    expect(await lambda.living()).toEqual([]);
  });

  test("fails loudly where it is not confirmed, or the key is bad", async () => {
    const { id, outs } = await create(inputs, lambda.context);
    await lambda.fault("terminateInstance", { answer: "blocked" });
    await expect(remove(id, outs, lambda.context)).rejects.toThrow(/error code: 1010/);
    await lambda.admin.patchSettings({ seconds: { terminating: 1e9 } });
    await expect(remove(id, outs, lambda.context)).rejects.toThrow(/still terminating.*billed/);
  });
});
