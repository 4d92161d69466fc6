import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { AdminClient } from "../../emulator/admin-client";
import type { Cloud } from "../../emulator/cloud";
import { apiCloud, type Clock, call, launch, read } from "./support";

let cloud: Cloud;
let admin: AdminClient;
let clock: Clock;
beforeEach(async () => {
  ({ cloud, admin, clock } = await apiCloud());
});
afterEach(() => cloud.stop());

const terminate = (...ids: string[]) => call(cloud, "POST", "/instance-operations/terminate", { instance_ids: ids });
const restart = (...ids: string[]) => call(cloud, "POST", "/instance-operations/restart", { instance_ids: ids });
const listedIds = async () =>
  (await call(cloud, "GET", "/instances")).body.data.map((instance: { id: string }) => instance.id);

describe("an instance", () => {
  test("boots, shows its address late, is active, terminates, can be read a while, and is gone", async () => {
    const id = await launch(cloud, { name: "n", tags: [{ key: "stack", value: "dev" }] });
    const booting = await read(cloud, id);
    expect(booting.status).toBe("booting");
    for (const field of ["ip", "private_ip", "hostname", "jupyter_token", "jupyter_url", "file_system_mounts"])
      expect(booting).not.toHaveProperty(field);
    expect(booting.actions.restart).toMatchObject({ available: false, reason_code: "vm-has-not-launched" });
    expect(booting.actions.terminate.available).toBe(true);

    clock.advance(110);
    const late = await read(cloud, id);
    expect([late.status, late.hostname]).toEqual(["booting", late.ip.replaceAll(".", "-")]);

    clock.advance(10);
    const active = await read(cloud, id);
    expect(active).toMatchObject({ status: "active", name: "n", tags: [{ key: "stack", value: "dev" }] });
    expect(active.jupyter_url).toBe(`https://jupyter-${id}.lambdaspaces.com/?token=${active.jupyter_token}`);

    const answer = await terminate(id);
    expect(answer.body.data.terminated_instances[0].status).toBe("terminating");
    expect(await listedIds()).toEqual([id]);
    clock.advance(30);
    expect(await listedIds()).toEqual([]);
    expect(await read(cloud, id)).toMatchObject({ status: "terminated" });
    expect(await read(cloud, id)).not.toHaveProperty("image");
    clock.advance(601);
    const gone = await call(cloud, "GET", `/instances/${id}`);
    expect([gone.status, gone.body.error.code]).toEqual([404, "global/object-does-not-exist"]);
  });

  test("boots longer with more GPUs", async () => {
    const one = await launch(cloud, { instance_type_name: "gpu_1x_a10" });
    const eight = await launch(cloud, { instance_type_name: "gpu_8x_h100_sxm5", region_name: "us-south-2" });
    clock.advance(239);
    expect((await read(cloud, one)).status).toBe("booting");
    clock.advance(1);
    expect((await read(cloud, one)).status).toBe("active");
    clock.advance(359);
    expect((await read(cloud, eight)).status).toBe("booting");
    clock.advance(1);
    expect((await read(cloud, eight)).status).toBe("active");
  });

  test("goes on where it was if this machine's clock is set back, and tells its own date", async () => {
    const id = await launch(cloud);
    clock.advance(100);
    const before = await call(cloud, "GET", `/instances/${id}`);
    clock.advance(-7200);
    expect((await read(cloud, id)).status).toBe("booting");
    clock.advance(20);
    const after = await call(cloud, "GET", `/instances/${id}`);
    expect(after.body.data.status).toBe("active");
    const dates = [before, after].map(({ headers }) => Date.parse(headers.get("date") ?? ""));
    expect((dates[1] ?? 0) - (dates[0] ?? 0)).toBe(20_000);
    await terminate(id);
    clock.advance(-7200);
    await read(cloud, id);
    clock.advance(30);
    expect((await read(cloud, id)).status).toBe("terminated");
    expect(await admin.ledger()).toMatchObject({ entries: [{ minutes: 0 }] });
  });

  test("goes as fast as the time scale says, from the moment it is set", async () => {
    const id = await launch(cloud);
    await admin.patchSettings({ timeScale: 120 });
    clock.advance(1);
    expect((await read(cloud, id)).status).toBe("active");
  });

  test("its name and tags change in place; tags are replaced as a whole", async () => {
    const id = await launch(cloud, { tags: [{ key: "aa", value: "1" }] });
    const path = `/instances/${id}`;
    expect((await call(cloud, "POST", path, { name: "new" })).body.data).toMatchObject({
      name: "new",
      tags: [{ key: "aa", value: "1" }],
    });
    expect((await call(cloud, "POST", path, { tags: [] })).body.data).toMatchObject({ name: "new", tags: [] });
  });

  test("restarts from active alone, once at a time", async () => {
    const id = await launch(cloud);
    expect((await restart(id)).status).toBe(409);
    clock.advance(120);
    expect((await restart(id)).body.data.restarted_instances[0].status).toBe("active");
    const again = await restart(id);
    expect([again.status, again.body.error.code]).toEqual([409, "global/conflict"]);
    expect((await read(cloud, id)).actions.restart.reason_code).toBe("vm-action-in-progress");
    clock.advance(60);
    expect((await restart(id)).status).toBe(200);
  });

  test("is power-cycled as it restarts, and shows the status of before", async () => {
    const cycle = (...ids: string[]) => call(cloud, "POST", "/instance-operations/power-cycle", { instance_ids: ids });
    const id = await launch(cloud);
    expect((await cycle(id)).body.error.code).toBe("global/conflict");
    expect((await cycle("f".repeat(32))).status).toBe(404);
    clock.advance(120);
    expect((await cycle(id)).body.data.power_cycled_instances).toMatchObject([{ id, status: "active" }]);
    expect([(await cycle(id)).status, (await restart(id)).status]).toEqual([409, 409]);
    expect((await read(cloud, id)).actions.power_cycle.reason_code).toBe("vm-action-in-progress");
    clock.advance(60);
    expect((await read(cloud, id)).actions.power_cycle).toEqual({ available: true });
  });

  test("a batch with an id that does not exist ends none", async () => {
    const id = await launch(cloud);
    const answer = await terminate(id, "f".repeat(32));
    expect([answer.status, answer.body.error.message]).toEqual([404, "Specified instance does not exist."]);
    expect((await read(cloud, id)).status).toBe("booting");
  });

  test("a second terminate fails as it was seen to, unless told otherwise", async () => {
    const id = await launch(cloud);
    await terminate(id);
    const second = await terminate(id);
    expect([second.status, second.body.error.code]).toEqual([500, "global/unknown"]);
    await admin.patchSettings({ quirks: { doubleTerminate: "ok" } });
    expect((await terminate(id)).status).toBe(200);
  });

  test("can be kept from terminating while booting", async () => {
    await admin.patchSettings({ quirks: { terminateWhileBooting: false } });
    const id = await launch(cloud);
    expect((await read(cloud, id)).actions.terminate.available).toBe(false);
    expect((await terminate(id)).status).toBe(400);
    clock.advance(120);
    expect((await terminate(id)).status).toBe(200);
  });
});

describe("money", () => {
  test("runs by the minute from first healthy to terminate, at the price of the launch", async () => {
    await admin.setPrice("cpu_4x_general", 100);
    const id = await launch(cloud);
    await admin.setPrice("cpu_4x_general", 900);
    clock.advance(120);
    expect((await read(cloud, id)).first_healthy).toBe("2026-11-24T12:02:00.000000+00:00");
    clock.advance(61);
    expect(await admin.ledger()).toMatchObject({ entries: [{ minutes: 2, cents: 3.3333 }] });
    await terminate(id);
    clock.advance(3600);
    expect(await admin.ledger()).toMatchObject({ entries: [{ instanceId: id, minutes: 2 }], totalCents: 3.3333 });
  });

  test("an instance that never became healthy costs nothing", async () => {
    const id = await launch(cloud);
    await terminate(id);
    clock.advance(3600);
    expect((await admin.ledger()).entries).toEqual([]);
  });
});

describe("capacity, quota, account", () => {
  const tryLaunch = (changes = {}) =>
    call(cloud, "POST", "/instance-operations/launch", {
      region_name: "us-east-1",
      instance_type_name: "cpu_4x_general",
      ssh_key_names: ["ci"],
      ...changes,
    });
  const regionsOf = async (type: string) =>
    (await call(cloud, "GET", "/instance-types")).body.data[type].regions_with_capacity_available.map(
      (region: { name: string }) => region.name,
    );

  test("listed, but refused; not listed, but granted", async () => {
    await launch(cloud);
    await admin.setCapacity({ instanceType: "cpu_4x_general", region: "us-east-1", free: 0, listed: true });
    expect(await regionsOf("cpu_4x_general")).toContain("us-east-1");
    const refused = await tryLaunch();
    expect([refused.status, refused.body.error.code]).toEqual([
      400,
      "instance-operations/launch/insufficient-capacity",
    ]);
    await admin.setCapacity({ instanceType: "gpu_8x_b200_sxm6", region: "us-west-3", free: 1, listed: false });
    expect(await regionsOf("gpu_8x_b200_sxm6")).toEqual([]);
    expect((await tryLaunch({ instance_type_name: "gpu_8x_b200_sxm6", region_name: "us-west-3" })).status).toBe(200);
  });

  test("room that was taken is given back at the end", async () => {
    await admin.setCapacity({ instanceType: "*", region: "*", free: 0 });
    await admin.setCapacity({ instanceType: "cpu_4x_general", region: "us-east-1", free: 1 });
    const id = await launch(cloud);
    expect((await tryLaunch()).status).toBe(400);
    await terminate(id);
    expect((await tryLaunch()).status).toBe(400);
    clock.advance(30);
    expect((await tryLaunch()).status).toBe(200);
  });

  test("quota comes before capacity", async () => {
    await launch(cloud);
    await admin.patchSettings({ quota: { instances: 1 } });
    await admin.setCapacity({ instanceType: "*", region: "*", free: 0 });
    expect((await tryLaunch()).body.error.code).toBe("global/quota-exceeded");
  });

  test("an invalid address stops what costs money, and nothing else", async () => {
    await launch(cloud);
    await admin.patchSettings({ account: { state: "invalid-address" } });
    expect((await tryLaunch()).body.error.code).toBe("global/invalid-address");
    const create = await call(cloud, "POST", "/filesystems", { name: "a", region: "us-east-1" });
    expect([create.status, create.body.error.code]).toEqual([403, "global/invalid-address"]);
    expect((await call(cloud, "GET", "/instances")).status).toBe(200);
  });
});

describe("trouble with an instance", () => {
  test("comes to the next launches, for as many as it was asked for", async () => {
    const fault = await admin.addInstanceFault({ match: {}, times: 1, trouble: { kind: "stuck-booting" } });
    const [first, second] = [await launch(cloud), await launch(cloud)];
    clock.advance(5000);
    expect([(await read(cloud, first)).status, (await read(cloud, second)).status]).toEqual(["booting", "active"]);
    await admin.removeFault(fault.id);
    expect((await read(cloud, first)).status).toBe("active");
  });

  test("by name: no address, unhealthy", async () => {
    await admin.addInstanceFault({ match: { name: "a" }, trouble: { kind: "no-ip" } });
    await admin.addInstanceFault({ match: { name: "b" }, trouble: { kind: "unhealthy" } });
    const [a, b] = [await launch(cloud, { name: "a" }), await launch(cloud, { name: "b" })];
    clock.advance(600);
    expect(await read(cloud, a)).toMatchObject({ status: "active" });
    expect(await read(cloud, a)).not.toHaveProperty("ip");
    expect((await read(cloud, b)).status).toBe("unhealthy");
    await admin.removeAllFaults();
    expect((await read(cloud, a)).ip).toBeDefined();
    expect((await read(cloud, b)).status).toBe("active");
  });

  test("by id: preempted, and terminated by somebody else", async () => {
    const [a, b] = [await launch(cloud), await launch(cloud)];
    clock.advance(120);
    await read(cloud, a);
    await admin.addInstanceFault({ match: { instanceId: a }, trouble: { kind: "preempted", afterSeconds: 60 } });
    await admin.addInstanceFault({ match: { instanceId: b }, trouble: { kind: "terminated" } });
    expect([(await read(cloud, a)).status, (await read(cloud, b)).status]).toEqual(["active", "terminating"]);
    clock.advance(60);
    expect([(await read(cloud, a)).status, (await read(cloud, b)).status]).toEqual(["preempted", "terminated"]);
    expect((await admin.ledger()).entries.every((entry) => entry.to !== undefined)).toBe(true);
  });
});
