import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { AdminClient } from "../../emulator/admin-client";
import { RateLimiter } from "../../emulator/api/rate-limit";
import type { Cloud } from "../../emulator/cloud";
import { strike } from "../../emulator/faults/api";
import { defaultSettings, patchSettings } from "../../emulator/settings";
import { apiCloud, type Clock, call, launch, read } from "./support";

let cloud: Cloud;
let admin: AdminClient;
let clock: Clock;
beforeEach(async () => {
  ({ cloud, admin, clock } = await apiCloud());
});
afterEach(() => cloud.stop());

describe("API faults", () => {
  test.each([
    ["rate-limited", 429, "text/plain", "error code: 1015"],
    ["rate-limited-json", 429, "application/json", "global/rate-limited"],
    ["server-error", 500, "application/json", "global/unknown"],
    ["bad-gateway", 502, "text/html", "502 Bad Gateway"],
    ["blocked", 403, "text/plain", "error code: 1010"],
  ] as const)("%s answers %i", async (answer, status, type, body) => {
    await admin.addApiFault({ match: { operation: "listRegions" }, action: { answer } });
    const got = await call(cloud, "GET", "/regions");
    expect(got.status).toBe(status);
    expect(got.headers.get("content-type")).toContain(type);
    expect(got.headers.get("retry-after")).toBeNull();
    expect(got.text).toContain(body);
    expect((await call(cloud, "GET", "/instances")).status).toBe(200);
  });

  test("the edge answers before the key is looked at, with Retry-After when asked to", async () => {
    await admin.addApiFault({ match: {}, action: { answer: "rate-limited", retryAfter: 7 } });
    const got = await call(cloud, "GET", "/regions", undefined, { authorization: "" });
    expect([got.status, got.headers.get("retry-after")]).toEqual([429, "7"]);
  });

  test("the nth call of a path, so many times", async () => {
    const match = { method: "get", path: "/instances*" };
    const fault = await admin.addApiFault({
      match,
      skip: 1,
      times: 2,
      action: { answer: { status: 503, body: "{}" } },
    });
    const statuses = [];
    for (let i = 0; i < 4; i++) statuses.push((await call(cloud, "GET", "/instances")).status);
    expect(statuses).toEqual([200, 503, 503, 200]);
    expect((await admin.faults()).api).toMatchObject([{ id: fault.id, seen: 4, fired: 2 }]);
    await admin.removeFault(fault.id);
    expect((await admin.faults()).api).toEqual([]);
  });

  test("probability decides call by call", () => {
    const fault = { id: "f", match: {}, probability: 0.5, action: { answer: "blocked" as const }, seen: 0, fired: 0 };
    const numbers = [0.4, 0.6, 0.1];
    const hits = numbers.map((n) => strike([fault], { method: "GET", path: "/" }, () => n).answer);
    expect(hits).toEqual(["blocked", undefined, "blocked"]);
  });

  test("a connection reset before the call leaves nothing behind; one after it loses the answer alone", async () => {
    const path = "/ssh-keys";
    const before = await admin.addApiFault({ match: { operation: "addSSHKey" }, action: { resetBefore: true } });
    await expect(call(cloud, "POST", path, { name: "a" })).rejects.toThrow();
    expect((await call(cloud, "GET", path)).body.data).toEqual([]);
    await admin.removeFault(before.id);
    await admin.addApiFault({ match: { operation: "addSSHKey" }, action: { resetAfter: true } });
    await expect(call(cloud, "POST", path, { name: "a" })).rejects.toThrow();
    expect((await call(cloud, "GET", path)).body.data).toMatchObject([{ name: "a" }]);
  });

  test("an answer is late", async () => {
    await admin.addApiFault({ match: {}, action: { delayMs: 150 } });
    const start = Date.now();
    expect((await call(cloud, "GET", "/regions")).status).toBe(200);
    expect(Date.now() - start).toBeGreaterThanOrEqual(149);
  });

  test("unknown fields are added, and nulls sent for absent ones", async () => {
    const id = await launch(cloud);
    await admin.addApiFault({ match: {}, action: { extraFields: true, nulls: true } });
    const instance = await read(cloud, id);
    expect(instance).toMatchObject({ ip: null, jupyter_token: null, is_reserved: false });
    expect(instance.region).toMatchObject({ name: "us-east-1", x_new: { a: 1 } });
  });

  test("an instance is shown in another status than it has", async () => {
    const id = await launch(cloud);
    await admin.addApiFault({ match: { operation: "getInstance" }, times: 1, action: { showStatus: "migrating" } });
    expect(await read(cloud, id)).toMatchObject({ status: "migrating" });
    expect(await read(cloud, id)).not.toMatchObject({ status: "migrating" });
  });

  test("a misspelt fault or setting is refused, with what there is", async () => {
    const bad = { match: {}, after: 3, action: {} };
    await expect(admin.addApiFault(bad)).rejects.toThrow(/No field after of a fault. Known: match, skip, times/);
    await expect(admin.patchSettings({ quota: { instance: 3 } as never })).rejects.toThrow(/No setting quota.instance/);
    await expect(admin.patchSettings({ timeScale: 0 })).rejects.toThrow(/timeScale must be above 0/);
    await expect(admin.setCapacity({ instanceType: "gpu_1x", region: "*", free: 1 })).rejects.toThrow(/cpu_4x_general/);
  });

  test("the admin surface cannot be used without the secret in its address", async () => {
    const { origin } = new URL(cloud.adminUrl);
    expect((await fetch(`${origin}/state`)).status).toBe(404);
    const state = JSON.stringify(await admin.state());
    expect(state).not.toContain(cloud.apiKey);
  });
});

describe("rate limits", () => {
  const limited = async () => {
    await admin.patchSettings({ rateLimit: { enabled: true } });
    clock.advance(60);
  };

  test("one call a second of a key, told as the edge tells it", async () => {
    await limited();
    expect((await call(cloud, "GET", "/regions")).status).toBe(200);
    const refused = await call(cloud, "GET", "/regions");
    expect([refused.status, refused.text]).toEqual([429, "error code: 1015"]);
    expect(refused.headers.get("content-type")).toContain("text/plain");
    expect(refused.headers.get("retry-after")).toBeNull();
    clock.advance(1);
    expect((await call(cloud, "GET", "/regions")).status).toBe(200);
  });

  test("one launch in twelve seconds, and a refused one is not done", async () => {
    await launch(cloud);
    await limited();
    const body = { region_name: "us-east-1", instance_type_name: "cpu_4x_general", ssh_key_names: ["ci"] };
    const go = async () => (await call(cloud, "POST", "/instance-operations/launch", body)).status;
    const statuses = [await go()];
    for (const seconds of [2, 9, 1]) {
      clock.advance(seconds);
      statuses.push(await go());
    }
    expect(statuses).toEqual([200, 429, 429, 200]);
    expect((await admin.state()).instances).toHaveLength(3);
  });

  test("another key has limits of its own", async () => {
    const other = await admin.addKey("other");
    await limited();
    await call(cloud, "GET", "/regions");
    expect((await call({ url: cloud.url, apiKey: other.key }, "GET", "/regions")).status).toBe(200);
  });

  test("one key is one caller, whatever the form of its header", async () => {
    await limited();
    const basic = (text: string) => ({ authorization: `Basic ${text}` });
    const encoded = Buffer.from(`${cloud.apiKey}:`).toString("base64");
    expect((await call(cloud, "GET", "/regions")).status).toBe(200);
    for (const header of [basic(encoded), basic(cloud.apiKey), { authorization: `bearer  ${cloud.apiKey}` }])
      expect((await call(cloud, "GET", "/regions", undefined, header)).status).toBe(429);
    // Keys that nobody has are callers of one address.
    const statuses = [];
    for (const key of ["a", "b"])
      statuses.push((await call({ url: cloud.url, apiKey: key }, "GET", "/regions")).status);
    expect(statuses).toEqual([401, 429]);
  });

  test("a clock that is set back holds nobody up", async () => {
    await limited();
    await call(cloud, "GET", "/regions");
    clock.advance(-3600);
    expect((await call(cloud, "GET", "/regions")).status).toBe(429);
    clock.advance(1);
    expect((await call(cloud, "GET", "/regions")).status).toBe(200);
  });

  test("JSON and Retry-After on request", async () => {
    await admin.patchSettings({ rateLimit: { enabled: true, json: true, retryAfter: true } });
    await call(cloud, "GET", "/regions");
    const refused = await call(cloud, "GET", "/regions");
    expect(refused.body.error.code).toBe("global/rate-limited");
    expect(refused.headers.get("retry-after")).toBe("1");
  });

  test("the time scale shortens the pauses", () => {
    let now = 0;
    const settings = patchSettings(defaultSettings(60), { rateLimit: { burst: 2 } });
    const limiter = new RateLimiter(
      () => settings,
      () => now,
    );
    expect([limiter.take("k", false), limiter.take("k", false)]).toEqual([0, 0]);
    expect(limiter.take("k", false)).toBeCloseTo(1 / 60);
    now += 17;
    expect(limiter.take("k", false)).toBe(0);
  });
});
