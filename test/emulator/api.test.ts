import { generateKeyPairSync } from "node:crypto";
import { utils } from "ssh2";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { AdminClient } from "../../emulator/admin-client";
import type { Cloud } from "../../emulator/cloud";
import { isAdmitted } from "../../emulator/network/firewall";
import { apiCloud, type Clock, call, launch, newKeyPair, read } from "./support";

let cloud: Cloud;
let admin: AdminClient;
let clock: Clock;
beforeEach(async () => {
  ({ cloud, admin, clock } = await apiCloud());
});
afterEach(() => cloud.stop());

const launchPath = "/instance-operations/launch";
const good = { region_name: "us-east-1", instance_type_name: "cpu_4x_general", ssh_key_names: ["ci"] };
const addKey = () => call(cloud, "POST", "/ssh-keys", { name: "ci", public_key: newKeyPair().publicKey });

describe("the key", () => {
  test.each([
    ["no header", "", "No API key was provided."],
    ["another scheme", "Digest x", "No API key was provided."],
    ["a wrong key", "Bearer secret_x_1.2", "API key was invalid, expired, or deleted."],
  ])("%s is refused", async (_, authorization, message) => {
    const answer = await call(cloud, "GET", "/regions", undefined, { authorization });
    expect(answer.status).toBe(401);
    expect(answer.body.error).toMatchObject({ code: "global/invalid-api-key", message });
  });

  test("it is taken as Bearer, as Basic with an empty password, and as Basic not encoded", async () => {
    const encoded = Buffer.from(`${cloud.apiKey}:`).toString("base64");
    for (const authorization of [`Bearer ${cloud.apiKey}`, `Basic ${encoded}`, `Basic ${cloud.apiKey}`])
      expect((await call(cloud, "GET", "/regions", undefined, { authorization })).status).toBe(200);
  });

  test("one that was removed is refused", async () => {
    const key = await admin.addKey("second");
    const as = { url: cloud.url, apiKey: key.key };
    expect((await call(as, "GET", "/regions")).status).toBe(200);
    await admin.removeKey(key.id);
    expect((await call(as, "GET", "/regions")).status).toBe(401);
  });
});

describe("requests", () => {
  test.each([
    ["GET", "/instances/ab", "invalid length: expected length 32 for simple format, found 2"],
    ["GET", "/instances/zz", "invalid character"],
    ["DELETE", "/filesystems/1-2", "invalid group count"],
  ])("%s %s is refused for its id", async (method, path, reason) => {
    const { status, body } = await call(cloud, method, path);
    expect(status).toBe(400);
    expect(body.error.code).toBe("global/invalid-parameters");
    expect(body.error.message).toBe(body.error.message.trim());
    expect(body.error.message).toContain(`Error in request path at 'id': Input should be a valid UUID, ${reason}`);
    expect(body.error.suggestion).toBe("Retry the request after fixing the request parameters.");
    expect(body.error.request_id).toMatch(/^[0-9a-f]{32}$/);
  });

  test.each<[string, unknown, string]>([
    ["nothing", undefined, "Input should be a valid dictionary"],
    ["no JSON", "{", "JSON decode error"],
    ["no region", { ...good, region_name: undefined }, "at 'region_name': Field required"],
    ["two keys", { ...good, ssh_key_names: ["a", "b"] }, "at 'ssh_key_names': List should have at most 1 item"],
    ["no key", { ...good, ssh_key_names: [] }, "at 'ssh_key_names': List should have at least 1 item"],
    ["a long name", { ...good, name: "x".repeat(65) }, "at 'name': String should have at most 64 characters"],
    ["a host name with capitals", { ...good, hostname: "Host" }, "at 'hostname': String should match pattern"],
    ["quantity 2", { ...good, quantity: 2 }, "at 'quantity': Input should be less than or equal to 1"],
    ["image id and family", { ...good, image: { id: "a", family: "b" } }, "Exactly one of 'id' and 'family'"],
    ["a reserved tag", { ...good, tags: [{ key: "lambda-ai-x", value: "" }] }, "at 'tags.0.key': Keys that start"],
    ["a tag of one letter", { ...good, tags: [{ key: "a", value: "" }] }, "at 'tags.0.key': String should match"],
    ["an image id that is none", { ...good, image: { id: "jammy" } }, "at 'image.id': Input should be a valid UUID"],
    ["an unknown region", { ...good, region_name: "mars-1" }, "Region mars-1 does not exist"],
    ["too much user_data", { ...good, user_data: "ä".repeat(600_000) }, "at 'user_data'"],
  ])("a launch with %s is refused", async (_, body, message) => {
    await addKey();
    const answer = await call(cloud, "POST", launchPath, body);
    expect(answer.status).toBe(400);
    expect(answer.body.error.code).toBe("global/invalid-parameters");
    expect(answer.body.error.message).toContain(message);
  });

  test("fields that the API does not know, and quantity 1, are ignored", async () => {
    await addKey();
    expect((await call(cloud, "POST", launchPath, { ...good, quantity: 1, colour: "red" })).status).toBe(200);
  });

  test("another verb is 405, another path 404", async () => {
    const wrongVerb = await call(cloud, "POST", "/file-systems", { name: "a", region: "us-east-1" });
    expect([wrongVerb.status, wrongVerb.headers.get("allow")]).toEqual([405, "GET"]);
    const wrongPath = await call(cloud, "GET", "/filesystem");
    expect([wrongPath.status, wrongPath.body.error.code]).toEqual([404, "global/not-found"]);
  });

  test("a path with an id has its own verbs, and one with a fixed word has those of the word", async () => {
    const allowed = async (path: string) => (await call(cloud, "PUT", path, {})).headers.get("allow");
    expect(await allowed("/firewall-rulesets/global")).toBe("GET, PATCH");
    expect(await allowed(`/firewall-rulesets/${"f".repeat(32)}`)).toBe("GET, PATCH, DELETE");
  });

  test("every failure of the framework is in the envelope", async () => {
    const post = (body: string, type = "application/json") =>
      call(cloud, "POST", launchPath, body, { "content-type": type });
    const answers = {
      "no JSON": [await post("{"), 400, "global/invalid-parameters"],
      "JSON of another type": [await post("[1]"), 400, "global/invalid-parameters"],
      "a strange content type": [
        await post("a=b", "application/x-www-form-urlencoded"),
        400,
        "global/invalid-parameters",
      ],
      "a content type that is none": [await post("{}", ";;;"), 400, "global/invalid-parameters"],
      "a body that is too large": [await post(JSON.stringify("x".repeat(9e6))), 413, "global/invalid-parameters"],
      "a path that is no URL": [await call(cloud, "GET", "/instances/%zz"), 400, "global/invalid-parameters"],
      "an id of any length": [
        await call(cloud, "GET", `/instances/${"a".repeat(5000)}`),
        400,
        "global/invalid-parameters",
      ],
      "another verb": [await call(cloud, "OPTIONS", "/instances"), 405, "global/invalid-parameters"],
      "a route that is none": [await call(cloud, "DELETE", "/regions/us-east-1"), 404, "global/not-found"],
    } as const;
    for (const [name, [answer, status, code]] of Object.entries(answers)) {
      expect([answer.status, answer.body?.error?.code], `${name}: ${answer.text.slice(0, 300)}`).toEqual([
        status,
        code,
      ]);
      expect(answer.body.error.request_id, name).toMatch(/^[0-9a-f]{32}$/);
      expect(answer.headers.get("content-type"), name).toContain("application/json");
    }
    const head = await call(cloud, "HEAD", "/instances");
    expect([head.status, head.headers.get("allow"), head.text]).toEqual([405, "GET", ""]);
  });

  test("the edge refuses Python's default User-Agent, before it sees the key", async () => {
    const as = (agent: string, path = "/regions") =>
      call(cloud, "GET", path, undefined, { "user-agent": agent, authorization: "" });
    const refused = await as("Python-urllib/3.11");
    expect([refused.status, refused.text]).toEqual([403, "error code: 1010"]);
    expect((await as("Python-urllib/3.8", "/openapi.json")).status).toBe(403);
    expect((await as("lambda-train (instance)")).status).toBe(401);
  });

  test.each([
    [{ instance_type_name: "gpu_9x" }, "Instance type gpu_9x does not exist."],
    [{ ssh_key_names: ["nobody"] }, "SSH key nobody does not exist."],
    [{ image: { id: "f".repeat(32) } }, "does not exist in region us-east-1."],
    [{ image: { family: "windows" } }, "Image windows does not exist in region us-east-1."],
    [{ file_system_names: ["none"] }, "Filesystem none does not exist."],
    [{ firewall_rulesets: [{ id: "f".repeat(32) }] }, "Firewall ruleset does not exist"],
  ])("a launch that names %j is 404", async (change, message) => {
    await addKey();
    const answer = await call(cloud, "POST", launchPath, { ...good, ...change });
    expect(answer.status).toBe(404);
    expect(answer.body.error.code).toBe("global/object-does-not-exist");
    expect(answer.body.error.message).toContain(message);
  });

  test("audit events: by time and resource, in pages", async () => {
    await addKey();
    clock.advance(60);
    for (let i = 0; i < 120; i++) await call(cloud, "PUT", "/firewall-rules", { data: [] });
    const later = new Date(clock.ms - 1000).toISOString();
    const first = await call(cloud, "GET", `/audit-events?start=${later}`);
    expect(first.body.data).toHaveLength(100);
    const second = await call(cloud, "GET", `/audit-events?start=${later}&page_token=${first.body.page_token}`);
    expect([second.body.data.length, second.body.page_token]).toEqual([20, null]);
    const keys = await call(cloud, "GET", "/audit-events?resource_type=cloud.ssh_key");
    expect(keys.body.data.map((event: { action: string }) => event.action)).toEqual(["created"]);
    expect((await call(cloud, "GET", "/audit-events?page_token=x")).status).toBe(400);
    expect((await call(cloud, "GET", "/audit-events?start=yesterday")).body.error.message).toContain("'start'");
  });
});

describe("SSH keys", () => {
  test("one made by the server has its private key in the first answer alone", async () => {
    const made = await call(cloud, "POST", "/ssh-keys", { name: "made" });
    expect(made.body.data.private_key).toMatch(/^-----BEGIN RSA PRIVATE KEY-----\n/);
    const parsed = utils.parseKey(made.body.data.private_key);
    if (parsed instanceof Error || Array.isArray(parsed)) throw new Error("not one key");
    expect(`ssh-rsa ${parsed.getPublicSSH().toString("base64")}`).toBe(made.body.data.public_key);
    const { body } = await call(cloud, "GET", "/ssh-keys");
    expect(Object.keys(body.data[0])).toEqual(["id", "name", "public_key"]);
    expect(JSON.stringify(cloud.store.state)).not.toContain("PRIVATE KEY");
  });

  test("OpenSSH, RFC 4716, PKCS8 and PEM are taken, and a private key is not", async () => {
    const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 });
    const ec = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const [, blob = ""] = newKeyPair().publicKey.split(" ");
    const forms = {
      openssh: newKeyPair().publicKey,
      rfc4716: `---- BEGIN SSH2 PUBLIC KEY ----\n${blob}\n---- END SSH2 PUBLIC KEY ----`,
      pkcs8: ec.publicKey.export({ type: "spki", format: "pem" }),
      pem: rsa.publicKey.export({ type: "pkcs1", format: "pem" }),
    };
    for (const [name, public_key] of Object.entries(forms))
      expect((await call(cloud, "POST", "/ssh-keys", { name, public_key })).status, name).toBe(200);
    for (const public_key of [newKeyPair().privateKey, "ssh-ed25519 AAAA", "hello"])
      expect((await call(cloud, "POST", "/ssh-keys", { name: "bad", public_key })).body.error.message).toContain(
        "'public_key'",
      );
  });

  test("a name is taken once, also by two calls at once", async () => {
    const answers = await Promise.all([1, 2].map(() => call(cloud, "POST", "/ssh-keys", { name: "twin" })));
    expect(answers.map((answer) => answer.status).sort()).toEqual([200, 400]);
    const refused = answers.find((answer) => answer.status === 400);
    expect(refused?.body.error).toMatchObject({ code: "global/invalid-parameters" });
    expect(refused?.body.error.message).toContain("name must be unique");
  });

  test("deleting one that is not there is not-found", async () => {
    const answer = await call(cloud, "DELETE", `/ssh-keys/${"f".repeat(32)}`);
    expect([answer.status, answer.body.error.code]).toEqual([404, "global/not-found"]);
  });
});

describe("file systems", () => {
  const create = (name: string, region = "us-east-1") => call(cloud, "POST", "/filesystems", { name, region });

  test("one is created, listed under the other path, held while in use, and deleted", async () => {
    const made = await create("weights");
    expect(made.body.data).toMatchObject({ mount_point: "/lambda/nfs/weights", is_in_use: false });
    const { id } = made.body.data;
    const instance = await launch(cloud, { file_system_names: ["weights"] });
    expect((await read(cloud, instance)).file_system_mounts).toEqual([
      { mount_point: "/lambda/nfs/weights", file_system_id: id },
    ]);
    expect((await call(cloud, "GET", "/file-systems")).body.data[0].is_in_use).toBe(true);
    expect((await call(cloud, "DELETE", `/filesystems/${id}`)).body.error.code).toBe("filesystems/filesystem-in-use");

    await call(cloud, "POST", "/instance-operations/terminate", { instance_ids: [instance] });
    // Terminating still holds it: wait for the end before deleting, as on Lambda.
    expect((await call(cloud, "DELETE", `/filesystems/${id}`)).status).toBe(400);
    clock.advance(31);
    expect((await call(cloud, "DELETE", `/filesystems/${id}`)).body.data).toEqual({ deleted_ids: [id] });
    expect((await call(cloud, "DELETE", `/filesystems/${id}`)).status).toBe(404);
  });

  test("a mount wins over a name, and both must be in the region", async () => {
    await addKey();
    const { id } = (await create("weights")).body.data;
    await create("far", "us-west-1");
    const instance = await launch(cloud, {
      file_system_names: ["weights"],
      file_system_mounts: [{ mount_point: "/data/w", file_system_id: id }],
    });
    expect((await read(cloud, instance)).file_system_mounts[0].mount_point).toBe("/data/w");
    const far = await call(cloud, "POST", launchPath, { ...good, file_system_names: ["far"] });
    expect(far.body.error.code).toBe("instance-operations/launch/file-system-in-wrong-region");
  });

  test("names are taken once and counted", async () => {
    await create("one");
    expect((await create("one", "us-west-1")).body.error.code).toBe("global/duplicate");
    await admin.patchSettings({ quota: { fileSystems: 1 } });
    expect((await create("two")).body.error.code).toBe("global/quota-exceeded");
  });
});

describe("firewall", () => {
  const rule = { protocol: "tcp", port_range: [22, 22], source_network: "10.1.2.3", description: "" };

  test("both views of the global rules show the same", async () => {
    const put = await call(cloud, "PUT", "/firewall-rules", { data: [rule] });
    expect(put.body.data).toEqual([{ ...rule, source_network: "10.1.2.3/32" }]);
    const global = await call(cloud, "GET", "/firewall-rulesets/global");
    expect(global.body.data).toMatchObject({ id: "global", rules: put.body.data });
    await call(cloud, "PATCH", "/firewall-rulesets/global", { rules: [] });
    expect((await call(cloud, "GET", "/firewall-rules")).body.data).toEqual([]);
  });

  test.each([
    [{ ...rule, protocol: "icmp" }, "rules.0.port_range"],
    [{ ...rule, port_range: undefined }, "rules.0.port_range"],
    [{ ...rule, port_range: [9, 3] }, "rules.0.port_range"],
    [{ ...rule, port_range: [0, 3] }, "rules.0.port_range.0"],
    [{ ...rule, source_network: "1.2.3.4/33" }, "rules.0.source_network"],
    [{ ...rule, source_network: "fe80::1" }, "rules.0.source_network"],
    [{ ...rule, source_network: "203.0.113.7/24" }, "rules.0.source_network"],
    [{ ...rule, source_network: "010.1.2.3" }, "rules.0.source_network"],
  ])("%j is refused at %s", async (bad, location) => {
    const body = { name: "a", region: "us-east-1", rules: [bad] };
    const answer = await call(cloud, "POST", "/firewall-rulesets", body);
    expect(answer.status).toBe(400);
    expect(answer.body.error.message).toContain(`at '${location}'`);
  });

  test("a ruleset is of a region, changed in part, and held by its instances", async () => {
    await addKey();
    const made = await call(cloud, "POST", "/firewall-rulesets", { name: "a", region: "us-east-1", rules: [rule] });
    const { id } = made.body.data;
    await call(cloud, "PATCH", `/firewall-rulesets/${id}`, { name: "b" });
    expect((await call(cloud, "GET", `/firewall-rulesets/${id}`)).body.data).toMatchObject({
      name: "b",
      rules: [{ protocol: "tcp" }],
    });
    const elsewhere = { ...good, region_name: "us-west-1", firewall_rulesets: [{ id }] };
    expect((await call(cloud, "POST", launchPath, elsewhere)).status).toBe(404);
    const instance = await launch(cloud, { firewall_rulesets: [{ id }] });
    expect((await call(cloud, "GET", "/firewall-rulesets")).body.data[0].instance_ids).toEqual([instance]);
    const refused = await call(cloud, "DELETE", `/firewall-rulesets/${id}`);
    expect(refused.body.error.code).toBe("firewall-rulesets/firewall-ruleset-in-use");
  });

  test("more than 20 rules are kept, but nothing launches under them, and the rest is not in force", async () => {
    await addKey();
    const data = Array.from({ length: 20 }, (_, i) => ({ ...rule, source_network: `10.0.0.${i}` }));
    await call(cloud, "PUT", "/firewall-rules", { data });
    const id = await launch(cloud);
    const more = await call(cloud, "PUT", "/firewall-rules", {
      data: [...data, { ...rule, source_network: "10.1.1.1" }],
    });
    expect(more.body.data).toHaveLength(21);
    const refused = await call(cloud, "POST", launchPath, good);
    expect([refused.status, refused.body.error.message]).toEqual([
      400,
      expect.stringContaining("at most 20 firewall rules"),
    ]);
    const { state } = cloud.store;
    const record = state.instances.find((instance) => instance.id === id);
    if (record === undefined) throw new Error("not launched");
    expect(["10.0.0.19", "10.1.1.1"].map((source) => isAdmitted(state, record, source, 22))).toEqual([true, false]);
  });
});

describe("instance types and images", () => {
  test("the listing is keyed by name, sold-out types included, at prices that can be set", async () => {
    await admin.setPrice("gpu_1x_a10", 131);
    const { data } = (await call(cloud, "GET", "/instance-types")).body;
    expect(data.gpu_1x_a10.instance_type.price_cents_per_hour).toBe(131);
    expect(data.gpu_1x_h100_sxm5.instance_type.price_cents_per_hour).toBe(429);
    expect(data.gpu_8x_b200_sxm6.regions_with_capacity_available).toEqual([]);
    expect(data.gpu_1x_gh200.instance_type.architecture).toBe("arm64");
    expect(data.cpu_4x_general.instance_type).toMatchObject({ gpu_description: "N/A", specs: { gpus: 0 } });
  });

  test("an image must fit the architecture", async () => {
    await addKey();
    const arm = { ...good, instance_type_name: "gpu_1x_gh200", region_name: "us-east-3" };
    const { data } = (await call(cloud, "GET", "/images")).body;
    const id = data.find((image: { architecture: string }) => image.architecture === "x86_64").id;
    expect((await call(cloud, "POST", launchPath, { ...arm, image: { id } })).status).toBe(400);
    expect((await call(cloud, "POST", launchPath, arm)).status).toBe(200);
  });
});
