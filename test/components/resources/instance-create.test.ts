import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { DynamicHandler } from "../../../components/dynamic/handler";
import { handler } from "../../../components/resources/instance-handler";
import type { InstanceInputs, InstanceOutputs } from "../../../components/resources/instance-inputs";
import { connectCloud } from "../../../lambda/api/connect";
import { LaunchJournal } from "../../../lambda/launch/journal";
import { Launcher } from "../../../lambda/launch/launcher";
import { type Emulated, startWithInputs } from "./emulated";

const { create, update } = handler as Required<DynamicHandler<InstanceInputs, InstanceOutputs>>;
let lambda: Emulated;
let inputs: InstanceInputs;

beforeEach(async () => {
  ({ lambda, inputs } = await startWithInputs());
});

afterEach(() => lambda.stop());

async function launches(): Promise<number> {
  const { audit } = await lambda.admin.state();
  return audit.filter((event) => event.action.includes("launch")).length;
}

describe("create", () => {
  test("launches, and returns as soon as the id is known with all but the user data", async () => {
    await lambda.admin.patchSettings({ seconds: { bootOneGpu: 1_000_000 } });
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
    // What it has cost counts from its launch, not from when it was found.
    const { tags } = await lambda.admin.instance(second.id);
    expect(tags).toContainEqual({ key: "lambda-train:launched-at", value: second.outs.launchedAt });
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

  test("launches no second one where neither the list nor its id shows it yet", async () => {
    const first = await create(inputs, lambda.context);
    const body = JSON.stringify({ error: { code: "global/object-does-not-exist", message: "no" } });
    await lambda.fault(
      "listInstances",
      { answer: { status: 200, contentType: "application/json", body: '{"data":[]}' } },
      2,
    );
    await lambda.fault("getInstance", { answer: { status: 404, contentType: "application/json", body } }, 2);
    expect(await create(inputs, lambda.context)).toMatchObject({ id: first.id, outs: { adopted: true } });
    expect(await lambda.living()).toHaveLength(1);
  });

  test("does not adopt what is terminating", async () => {
    const first = await create(inputs, lambda.context);
    await lambda.admin.terminate(first.id);
    expect((await create(inputs, lambda.context)).id).not.toBe(first.id);
  });

  test.each([
    ["image family", { imageFamily: "gpu-base-24-04" }, /its image lambda-stack-22-04 is not of imageFamily gpu-base/],
    ["file system", { fileSystemNames: ["weights"] }, /it has no file system, not weights/],
  ])("refuses to adopt what has another %s, and leaves it running", async (_, changes, told) => {
    await connectCloud("emulated").client.createFileSystem({ name: "weights", region: "us-east-1" });
    await create(inputs, lambda.context);
    await expect(create({ ...inputs, ...changes }, lambda.context)).rejects.toThrow(told);
    expect(await lambda.living()).toHaveLength(1);
  });

  test("refuses to adopt what has a file system that is not wanted", async () => {
    await connectCloud("emulated").client.createFileSystem({ name: "weights", region: "us-east-1" });
    await create({ ...inputs, fileSystemNames: ["weights"] }, lambda.context);
    await expect(create(inputs, lambda.context)).rejects.toThrow(/it has file system weights, not none/);
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
    await vi.waitFor(() => expect(lambda.told.join()).toContain("no capacity now"), { timeout: 10_000 });
    await lambda.admin.setCapacity({ instanceType: "gpu_1x_a10", region: "us-east-1", free: 1 });
    await waiting;
    expect(lambda.told.join("\n")).toMatch(/no capacity now for gpu_1x_a10 in us-east-1: waiting up to 60 min/);
    expect(lambda.doing.join("\n")).toMatch(/waiting for capacity since \d\d:\d\d: gpu_1x_a10 in us-east-1/);
    expect(lambda.told.length).toBeLessThan(8);
  });

  test("ends the wait for capacity when it is interrupted, and has launched nothing", async () => {
    await lambda.admin.setCapacity({ instanceType: "gpu_1x_a10", region: "us-east-1", free: 0 });
    const waiting = create({ ...inputs, capacityTimeoutSeconds: 360_000 }, lambda.context);
    setTimeout(() => lambda.interruption.abort(new Error("interrupted by its user")), 300);
    await expect(waiting).rejects.toThrow("interrupted by its user");
    expect(await lambda.living()).toEqual([]);
  });

  test("of many at once ends their wait for a turn when it is interrupted, and launches no more", async () => {
    await lambda.admin.setCapacity({ instanceType: "gpu_1x_a10", region: "us-east-1", free: 30 });
    const names = Array.from({ length: 30 }, (_, i) => `lambda-train-test-${String(i).padStart(8, "0")}`);
    const all = Promise.allSettled(names.map((name) => create({ ...inputs, name }, lambda.context)));
    await vi.waitFor(async () => expect((await lambda.living()).length).toBeGreaterThan(1), { timeout: 10_000 });
    lambda.interruption.abort(new Error("interrupted by its user"));
    const made = (await all).filter(({ status }) => status === "fulfilled").length;
    expect(made).toBeLessThan(20);
    expect(await lambda.living()).toHaveLength(made);
    await expect(create(inputs, lambda.context)).rejects.toThrow("interrupted by its user");
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
    await expect(create({ ...inputs, imageFamily: "ubuntu" }, lambda.context)).rejects.toThrow(
      /No image family "ubuntu"/,
    );
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
    await vi.waitFor(async () => expect((await lambda.admin.faults()).api[0]?.fired).toBe(1), { timeout: 10_000 });
    const { sshKeyName, userData } = inputs;
    const launcher = new Launcher(connectCloud("emulated"), inputs.name, lambda.context);
    const second = await launcher.launch({ sshKeyName, userData, region: "us-east-1", instanceType: "gpu_1x_a10" });
    expect(second).toMatchObject({ adopted: true, instance: { id: (await first).id } });
    expect(await lambda.living()).toHaveLength(1);
  });
});
