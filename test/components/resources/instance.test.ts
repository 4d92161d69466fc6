import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { DynamicHandler } from "../../../components/dynamic/handler";
import { connect } from "../../../components/resources/cloud";
import { handler, instanceHandler } from "../../../components/resources/instance-handler";
import type { InstanceInputs, InstanceOutputs } from "../../../components/resources/instance-inputs";
import { type Emulated, startWithInputs } from "./emulated";

const { create, read, update, delete: remove } = handler as Required<DynamicHandler<InstanceInputs, InstanceOutputs>>;
let lambda: Emulated;
let inputs: InstanceInputs;

beforeEach(async () => {
  ({ lambda, inputs } = await startWithInputs());
});

afterEach(() => lambda.stop());

const named = (at: number): InstanceInputs => ({ ...inputs, name: `${inputs.name.slice(0, -1)}${at}` });

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

  test("of several asks once for all", async () => {
    const all = await Promise.all([0, 1, 2, 3].map((at) => create(named(at), lambda.context)));
    const began = Date.now();
    const found = await Promise.all(all.map(({ id, outs }) => read(id, outs, lambda.context)));
    expect(found.map((each) => each?.id)).toEqual(all.map(({ id }) => id));
    const paths = (await lambda.admin.calls(began)).map(({ path }) => path);
    expect(new Set(paths)).toEqual(new Set(["/instances"]));
    expect(paths.length).toBeLessThanOrEqual(2);
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
    vi.stubEnv("PULUMI_BACKEND_URL", "s3://states?region=us-west-2");
    const { id, outs } = await create({ ...inputs, tags: { a2: "1" } }, lambda.context);
    const next = await update(
      id,
      outs,
      { ...inputs, name: "lambda-train-new-00000000", tags: { b2: "2" } },
      lambda.context,
    );
    const { name, tags } = await lambda.admin.instance(id);
    expect(name).toBe("lambda-train-new-00000000");
    expect(tags.map(({ key }) => key).sort()).toEqual([
      "b2",
      "lambda-train:claim",
      "lambda-train:launched-at",
      "lambda-train:state",
      "lambda-train:user-data",
    ]);
    expect(Object.fromEntries(tags.map(({ key, value }) => [key, value]))).toMatchObject({
      "lambda-train:launched-at": outs.launchedAt,
      "lambda-train:state": "s3://states",
    });
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
  test("of several looks at them by one list", async () => {
    const all = await Promise.all([0, 1, 2, 3].map((at) => create(named(at), lambda.context)));
    const began = Date.now();
    await Promise.all(all.map(({ id, outs }) => remove(id, outs, lambda.context)));
    const calls = await lambda.admin.calls(began);
    const reads = calls.filter(({ method, path }) => method === "GET" && path === "/instances/{id}");
    expect(calls.some(({ path }) => path === "/instances")).toBe(true);
    // The first begins alone, and each is read once more when the list shows it no longer.
    expect(reads.length).toBeLessThanOrEqual(2 * all.length);
  });

  test("terminates and waits until the API confirms that it is gone", async () => {
    await lambda.admin.patchSettings({ seconds: { terminated: 1_000_000 } });
    const { id, outs } = await create(inputs, lambda.context);
    await remove(id, outs, lambda.context);
    expect((await lambda.admin.instance(id)).status).toBe("terminated");
    expect(lambda.told.at(-2)).toMatch(/is terminated$/);
    expect(lambda.told.at(-1)).toMatch(/^bill: \$0\.0\d before tax/);
    await remove(id, outs, lambda.context);
    expect(lambda.told.at(-2)).toContain("was gone already");
  });

  test("waits for the end of a boot where the API terminates nothing that boots", async () => {
    await lambda.admin.patchSettings({ quirks: { terminateWhileBooting: false }, seconds: { bootOneGpu: 600 } });
    const { id, outs } = await create(inputs, lambda.context);
    await remove(id, outs, lambda.context);
    expect(await lambda.living()).toEqual([]);
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

  test("doubts a key that sees neither the instance nor its SSH key, in refreshes too", async () => {
    const real = instanceHandler((endpoint, context) => {
      const cloud = connect(endpoint, context);
      return { ...cloud, endpoint: { ...cloud.endpoint, ownKey: false } };
    }) as typeof handler & { read: typeof read; delete: typeof remove };
    const { outs } = await create(inputs, lambda.context);
    const gone = "0".repeat(32);
    await real.delete(gone, outs, lambda.context);
    expect(await real.read(gone, outs, lambda.context)).toBeUndefined();
    const elsewhere = { ...outs, sshKeyName: "key-of-another-workspace" };
    await expect(real.delete(gone, elsewhere, lambda.context)).rejects.toThrow(/another workspace/);
    await expect(real.read(gone, elsewhere, lambda.context)).rejects.toThrow(/another workspace/);
  });

  test("fails loudly where it is not confirmed, or the key is bad", async () => {
    const { id, outs } = await create(inputs, lambda.context);
    await lambda.fault("terminateInstance", { answer: "blocked" });
    await expect(remove(id, outs, lambda.context)).rejects.toThrow(/error code: 1010/);
    await lambda.admin.patchSettings({ seconds: { terminating: 1e9 } });
    await expect(remove(id, outs, lambda.context)).rejects.toThrow(/still terminating.*billed/);
  });
});
