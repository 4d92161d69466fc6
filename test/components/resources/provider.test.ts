import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import * as pulumi from "@pulumi/pulumi";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { handlerModule } from "../../../components/dynamic/provider";
import { providerText, resourceType } from "../../../components/dynamic/resource";
import { Boot } from "../../../components/resources/boot";
import { Claim } from "../../../components/resources/claim";
import { FileSystem } from "../../../components/resources/file-system";
import { FirewallRuleset } from "../../../components/resources/firewall-ruleset";
import { Instance } from "../../../components/resources/instance";
import { KeyPair } from "../../../components/resources/key-pair";
import { LaunchClaim } from "../../../components/resources/launch-claim";
import { SshKey } from "../../../components/resources/ssh-key";
import { FakeCloud } from "../../lambda/fake-cloud";
import { ProviderProcess } from "./provider-process";

const handlers = "components/resources";
const name = "lambda-train-test-0a1b2c3d";
const publicKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ4yZ0cnu0cYc8T0dWDNKPMVbhEPWLg1Z6f8gcFSRKOz one";

describe("the provider process", () => {
  let cloud: FakeCloud;
  let provider: ProviderProcess;
  let local: string;

  beforeAll(async () => {
    cloud = await FakeCloud.start();
    local = mkdtempSync(join(tmpdir(), "lambda-train-local-"));
    mkdirSync(join(local, "cloud"));
    const run = { url: cloud.url, apiKey: cloud.apiKey, timeScale: 1000, sshPort: 22 };
    writeFileSync(join(local, "cloud", "cloud.json"), JSON.stringify(run));
    const env = { LAMBDA_TRAIN_LOCAL: local, LAMBDA_TRAIN_CACHE: join(local, "cache"), LAMBDA_API_KEY: "" };
    provider = await ProviderProcess.start(env);
    await provider.configure({ "lambda-train:apiKey": cloud.apiKey });
  });

  afterAll(async () => {
    await provider.stop();
    await cloud.stop();
    rmSync(local, { recursive: true, force: true });
  });

  const sshKey = (given: object = {}): Record<string, unknown> => ({
    name,
    publicKey,
    endpoint: "emulated",
    __provider: providerText(`${handlers}/ssh-key-handler`),
    ...given,
  });

  test("calls with the key of the stack's configuration", async () => {
    const { id } = await provider.create(sshKey({ endpoint: cloud.url }));
    expect(cloud.requests.every(({ headers }) => headers.authorization === `Bearer ${cloud.apiKey}`)).toBe(true);
    await provider.delete(id, sshKey());
  });

  test("runs a resource's whole life by the text in the state", async () => {
    const { inputs, failures } = await provider.check({}, sshKey());
    expect(failures).toEqual([]);
    const { id, outs } = await provider.create(inputs);
    expect(outs).toEqual(inputs);
    expect(cloud.sshKeys.get(id)).toMatchObject({ name });
    expect(await provider.diff(id, outs, sshKey())).toMatchObject({ changes: 1, replaces: [] });
    expect(await provider.diff(id, outs, sshKey({ name: "x" }))).toMatchObject({
      changes: 2,
      replaces: ["name"],
      deleteFirst: true,
    });
    expect(await provider.read(id, outs)).toMatchObject({ id, props: { name, publicKey } });
    await provider.delete(id, outs);
    expect(await provider.read(id, outs)).toMatchObject({ id: "" });
  });

  test("takes outputs, inputs and failures with undefined members", async () => {
    const __provider = providerText("test/components/resources/undefined-handler");
    const props = { a: 1, list: [{ c: 2 }], __provider };
    expect((await provider.check({}, { __provider })).inputs).toEqual(props);
    expect(await provider.create({ __provider })).toEqual({ id: "id", outs: props });
    expect(await provider.read("id", { __provider })).toEqual({ id: "id", props, inputs: props });
    expect(await provider.update("id", { __provider }, { __provider })).toEqual(props);
  });

  test("reads by inputs alone, as an import does", async () => {
    const { id } = await provider.create(sshKey());
    expect(await provider.read(id, undefined, sshKey())).toMatchObject({ id, props: { name }, inputs: { name } });
    await provider.delete(id, sshKey());
  });

  test("passes on what is wrong with inputs and calls", async () => {
    const { failures } = await provider.check({}, sshKey({ publicKey: "nonsense" }));
    expect(failures).toMatchObject([{ property: "publicKey" }]);
    cloud.surprise("GET /ssh-keys", {
      status: 401,
      body: { error: { code: "global/invalid-api-key", message: "No." } },
    });
    await expect(provider.create(sshKey())).rejects.toThrow(/global\/invalid-api-key/);
    cloud.surprise("GET /ssh-keys", {
      status: 401,
      body: { error: { code: "global/invalid-api-key", message: "No." } },
    });
    await expect(provider.read("id", sshKey())).rejects.toThrow(/global\/invalid-api-key/);
    await vi.waitFor(() => expect(provider.printed.join("\n")).toContain("global/invalid-api-key"));
    expect(provider.printed.join("\n")).not.toMatch(/^\s+at /m);
  });

  test("keeps outputs where a handler has no update of its own", async () => {
    const text = providerText(`${handlers}/launch-claim-handler`);
    const olds = { name, endpoint: cloud.url, extra: 1, __provider: text };
    expect(await provider.update(name, olds, { name, endpoint: "x", __provider: text })).toEqual({
      ...olds,
      endpoint: "x",
    });
  });

  test("prints neither key nor private key", async () => {
    const { outs } = await provider.create({ __provider: providerText(`${handlers}/key-pair-handler`) });
    expect(outs.privateKey).toContain("PRIVATE KEY");
    expect(provider.printed.join("\n")).not.toMatch(/PRIVATE KEY/);
    expect(provider.printed.join("\n")).not.toContain(cloud.apiKey);
  });

  test("tells how to build what is not built", async () => {
    const text = providerText("x").replace("./dist/", "./not-built/");
    await expect(provider.create({ __provider: text })).rejects.toThrow(/npm ci && npm run build/);
  });

  test("keeps in the state what a handler made although it failed, with what a deletion needs", async () => {
    const __provider = providerText("test/components/resources/failing-handler");
    const failure = await provider.create({ __provider }).catch((error: unknown) => error);
    expect(failure).toMatchObject({
      message: expect.stringContaining("half done"),
      initFailure: { id: "made", properties: { made: true, __provider }, reasons: ["half done"] },
    });
  });

  test("launches nothing once the engine is gone", async () => {
    await provider.endEngine();
    const instance = {
      name,
      endpoint: "emulated",
      instanceTypes: ["gpu_1x_a10"],
      regions: ["us-east-1"],
      sshKeyName: "key",
      userData: "#cloud-config",
      capacityTimeoutSeconds: 0,
      __provider: providerText(`${handlers}/instance-handler`),
    };
    await expect(provider.create(instance)).rejects.toThrow(/engine that asked .* is gone/);
    expect(cloud.count("POST /instance-operations/launch")).toBe(0);
  });

  test("ends by itself after that", async () => {
    await provider.ended();
  });
});

describe("resources", () => {
  const registered: pulumi.runtime.MockResourceArgs[] = [];

  beforeAll(() =>
    pulumi.runtime.setMocks({
      newResource: (args) => {
        registered.push(args);
        return { id: `${args.name}-id`, state: args.inputs };
      },
      call: () => ({}),
    }),
  );

  afterEach(() => {
    registered.length = 0;
  });

  test("are small, the same everywhere, and typed as dynamic resources of this project", async () => {
    const key = new KeyPair("a-key");
    const args = { name, endpoint: "emulated" };
    const made = [
      new Claim("a-claim", args),
      new LaunchClaim("a-launch-claim", args),
      key,
      new SshKey("a-ssh-key", { ...args, publicKey: "ssh-ed25519 AAAA" }),
      new FirewallRuleset("a-firewall", { ...args, region: "us-east-1", rules: [] }),
      new FileSystem("a-file-system", { ...args, region: "us-east-1" }),
      new Instance("an-instance", { ...args, instanceTypes: ["a"], regions: ["b"], sshKeyName: name, userData: "u" }),
      new Boot("a-boot", { instanceId: "i", hostKey: "h", privateKey: "p" }),
    ];
    await Promise.all(made.map((each) => new Promise((done) => each.id.apply(done))));
    const types = ["Claim", "LaunchClaim", "KeyPair", "SshKey", "FirewallRuleset", "FileSystem", "Instance", "Boot"];
    expect(registered.map(({ type }) => type).sort()).toEqual(types.map(resourceType).sort());
    for (const { inputs } of registered) expect(inputs.__provider.length).toBeLessThan(600);
  });

  test("keep private keys and user data secret", async () => {
    const boot = new Boot("secret-boot", { instanceId: "i", hostKey: "h", privateKey: "p" });
    const instance = new Instance("secret-instance", {
      name,
      instanceTypes: ["a"],
      regions: ["b"],
      sshKeyName: name,
      userData: "u",
    });
    await Promise.all([boot, instance].map((each) => new Promise((done) => each.id.apply(done))));
    const marked = boot as unknown as { privateKey: pulumi.Output<string> };
    expect(await pulumi.isSecret(marked.privateKey)).toBe(true);
    expect(await pulumi.isSecret((instance as unknown as { userData: pulumi.Output<string> }).userData)).toBe(true);
    expect(await pulumi.isSecret(boot.ip)).toBe(false);
  });
});

test("the text in the state never changes", () => {
  expect(providerText("components/resources/claim-handler")).toMatchInlineSnapshot(`
    "exports.handler = () => {
      try {
        return require("./dist/components/dynamic/provider.js").provider("components/resources/claim-handler");
      } catch (error) {
        if (error.code === "MODULE_NOT_FOUND") {
          error.message = "The project is not built (run \`npm ci && npm run build\` in its folder): " + error.message;
        }
        throw error;
      }
    };
    "
  `);
});

test.each([
  ["components/lambda/handlers", ["boot", "claim", "file-system", "firewall-ruleset", "instance", "key-pair"]],
  ["components/lambda/handlers", ["launch-claim", "ssh-key"]],
  ["components/remote/handlers", ["evaluation", "results", "run", "self-termination", "standing", "upload"]],
])("the handlers that states of release 0.1.0 name in %s are found: %j", (folder, names) => {
  for (const each of names) {
    const found = resolve(__dirname, "../../../components/resources", `${handlerModule(`${folder}/${each}`)}.ts`);
    expect(existsSync(found), found).toBe(true);
  }
});
