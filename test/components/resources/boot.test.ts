import { readdirSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { DynamicHandler } from "../../../components/dynamic/handler";
import { unknownValue } from "../../../components/dynamic/unknown";
import {
  type BootInputs,
  type BootOutputs,
  bootHandler,
  defaultBootSeconds,
  loginWithAgent,
} from "../../../components/resources/boot-handler";
import { connect } from "../../../components/resources/cloud";
import { type Cloud, connectCloud } from "../../../lambda/api/connect";
import { agentName } from "../../../remote/agent";
import type { SshAccess } from "../../../remote/types";
import { startSshd } from "../../support/sshd";
import { Emulated } from "./emulated";

const publicKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ4yZ0cnu0cYc8T0dWDNKPMVbhEPWLg1Z6f8gcFSRKOz";
let lambda: Emulated;
let cloud: Cloud;
let logins: SshAccess[];
let login: () => Promise<void>;
let boot: Required<DynamicHandler<BootInputs, BootOutputs>>;

beforeEach(async () => {
  lambda = await Emulated.start();
  cloud = connectCloud("emulated");
  await cloud.client.addSshKey({ name: "key", publicKey });
  logins = [];
  login = async () => undefined;
  const handler = bootHandler(connect, async (access) => {
    logins.push(access);
    await login();
  });
  boot = handler as Required<DynamicHandler<BootInputs, BootOutputs>>;
});

afterEach(() => lambda.stop());

async function launched(): Promise<BootInputs> {
  const request = { name: "test", region: "us-east-1", instanceType: "cpu_4x_general", sshKeyName: "key" };
  const instanceId = await cloud.client.launch(request);
  return { instanceId, hostKey: publicKey, privateKey: "a private key", endpoint: "emulated" };
}

describe("create", () => {
  test("waits until the instance is active and a login with its host key works", async () => {
    const inputs = await launched();
    const { id, outs } = await boot.create(inputs, lambda.context);
    const instance = await cloud.client.getInstance(inputs.instanceId);
    expect(id).toBe(inputs.instanceId);
    expect(outs).toMatchObject({ status: "active", ip: instance.ip, user: "ubuntu", sshPort: lambda.cloud.sshPort });
    expect(logins).toEqual([
      {
        host: instance.ip,
        port: lambda.cloud.sshPort,
        user: "ubuntu",
        hostKey: publicKey,
        privateKey: "a private key",
      },
    ]);
    expect(JSON.stringify(outs)).not.toContain("a private key");
  });

  test("warns of maintenance that is announced for the instance", async () => {
    const inputs = await launched();
    await lambda.admin.addMaintenance({ instanceIds: [inputs.instanceId], detail: "GPU swap", inSeconds: 7200 });
    await boot.create(inputs, lambda.context);
    expect(lambda.told).toEqual([
      expect.stringMatching(/^WARNING: instance \w+: Lambda's maintenance begins at \S+Z \(in 2 h\) \(GPU swap\)\. /),
    ]);
  });

  test("puts the agent on the instance, and another one where a release brings it", async () => {
    const sshd = await startSshd();
    try {
      await loginWithAgent(sshd.access, { timeoutSeconds: 30 });
      expect(readdirSync(join(sshd.home, ".lambda-train/agent"))).toEqual([agentName()]);
    } finally {
      await sshd.stop();
    }
    const inputs = { ...(await launched()), agent: "old" };
    const { id, outs } = await boot.create(inputs, lambda.context);
    const newer = { ...inputs, agent: "new" };
    expect(await boot.diff(id, outs, inputs, lambda.context)).toMatchObject({ changes: false });
    expect(await boot.diff(id, outs, newer, lambda.context)).toMatchObject({ changes: true, replaces: [] });
    expect(await boot.update(id, outs, newer, lambda.context)).toMatchObject({ agent: "new", ip: outs.ip });
    expect(logins).toHaveLength(2);
  });

  test("passes on why the login failed", async () => {
    login = () => Promise.reject(new Error("another host key"));
    await expect(boot.create(await launched(), lambda.context)).rejects.toThrow("another host key");
  });

  test.each(["terminated", "preempted"] as const)("fails at once when the instance is %s", async (kind) => {
    await lambda.admin.patchSettings({ seconds: { terminated: 1_000_000 } });
    await lambda.admin.addInstanceFault({ match: {}, times: 1, trouble: { kind, afterSeconds: 0 } });
    const inputs = await launched();
    await lambda.admin.addInstanceFault({ match: { instanceId: inputs.instanceId }, trouble: { kind: "no-ip" } });
    await expect(boot.create(inputs, lambda.context)).rejects.toThrow(
      /is (terminating|terminated|preempted) instead of booting.*refresh/,
    );
  });

  test("fails at once when there is no such instance", async () => {
    const inputs = { ...(await launched()), instanceId: "0".repeat(32) };
    await expect(boot.create(inputs, lambda.context)).rejects.toThrow(/is gone instead of booting/);
  });

  test("gives an unhealthy instance five minutes", async () => {
    await lambda.admin.addInstanceFault({ match: {}, trouble: { kind: "unhealthy" } });
    const start = Date.now();
    await expect(boot.create(await launched(), lambda.context)).rejects.toThrow(/unhealthy for 5 min, and is billed/);
    expect(Date.now() - start).toBeGreaterThan(500);
  });

  test.each(["stuck-booting", "no-ip"] as const)(
    "gives up on %s after the boot timeout, keeping the instance",
    async (kind) => {
      await lambda.admin.addInstanceFault({ match: {}, trouble: { kind } });
      const inputs = { ...(await launched()), bootTimeoutSeconds: 300 };
      await expect(boot.create(inputs, lambda.context)).rejects.toThrow(
        /after 5 min \(bootTimeoutMinutes\).*in the state, and billed/,
      );
      expect(await lambda.living()).toHaveLength(1);
      expect(lambda.told.length).toBeLessThan(5);
    },
  );

  test("survives trouble of the API while it waits", async () => {
    const inputs = await launched();
    await lambda.fault("getInstance", { answer: "bad-gateway" }, 3);
    await lambda.fault("listInstances", { answer: "bad-gateway" }, 3);
    await boot.create(inputs, lambda.context);
  });

  test("of many at once looks at one list", async () => {
    await lambda.admin.patchSettings({ seconds: { bootCpu: 1800 } });
    const many: BootInputs[] = [];
    for (let i = 0; i < 6; i++) many.push(await launched());
    // Counts calls, and does nothing to them.
    await lambda.fault("getInstance", {}, 1000);
    await lambda.fault("listInstances", {}, 1000);
    await Promise.all(many.map((inputs) => boot.create(inputs, lambda.context)));
    const [reads = 0, lists = 0] = (await lambda.admin.faults()).api.map(({ fired }) => fired);
    expect(reads).toBe(many.length);
    expect(lists).toBeGreaterThan(0);
  });
});

test("bigger instances get more time", () => {
  expect([0, 1, 2, 4, 8].map(defaultBootSeconds)).toEqual([900, 900, 1500, 1500, 2400]);
});

test("refreshes address and status, and is gone with the instance", async () => {
  const { id, outs } = await boot.create(await launched(), lambda.context);
  expect((await boot.read(id, { ...outs, ip: "198.51.100.1", status: "booting" }, lambda.context))?.props).toEqual(
    outs,
  );
  await cloud.client.terminate(id);
  expect(await boot.read(id, outs, lambda.context)).toBeUndefined();
});

test("is replaced by another instance or host key, and logs in anew by another port", async () => {
  const inputs = await launched();
  const { id, outs } = await boot.create(inputs, lambda.context);
  const diff = (change: object): unknown => boot.diff(id, outs, { ...inputs, ...change }, lambda.context);
  expect(diff({})).toMatchObject({ changes: false });
  expect(diff({ privateKey: "another" })).toMatchObject({ changes: false });
  expect(diff({ bootTimeoutSeconds: 1 })).toMatchObject({ changes: true, replaces: [] });
  expect(diff({ sshPort: 23 })).toMatchObject({ changes: true, replaces: [] });
  expect(diff({ instanceId: unknownValue })).toMatchObject({ replaces: ["instanceId"], deleteBeforeReplace: true });
  expect(diff({ hostKey: "ssh-ed25519 AAAA" })).toMatchObject({ replaces: ["hostKey"] });
  await boot.update(id, outs, { ...inputs, bootTimeoutSeconds: 1 }, lambda.context);
  expect(logins).toHaveLength(1);
  expect(await boot.update(id, outs, { ...inputs, sshPort: 23 }, lambda.context)).toMatchObject({ sshPort: 23 });
  expect(logins[1]?.port).toBe(23);
});
