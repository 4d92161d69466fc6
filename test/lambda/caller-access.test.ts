import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { callerRule, namedRule } from "../../lambda/account/caller-access";
import { openWay } from "../../lambda/account/way";
import { connectCloud } from "../../lambda/api/connect";
import { type Booted, Hosts } from "../emulator/hosts";
import { call, connect } from "../emulator/support";

/** A command whose machine is seen at another address than at the last `up`. */
describe("a caller who has moved", { timeout: 90_000 }, () => {
  const moved = "203.0.113.9";
  const name = "lambda-train-test-0a1b2c3d";
  const told: string[] = [];
  let hosts: Hosts;
  let ruleset: string;
  let booted: Booted;

  beforeAll(async () => {
    hosts = await Hosts.start();
    const { url, apiKey, sshPort } = hosts.cloud;
    mkdirSync(join(hosts.folder, "cloud"), { recursive: true });
    writeFileSync(join(hosts.folder, "cloud", "cloud.json"), JSON.stringify({ url, apiKey, sshPort, timeScale: 600 }));
    vi.stubEnv("LAMBDA_TRAIN_LOCAL", hosts.folder);
    vi.stubEnv("LAMBDA_TRAIN_CACHE", join(hosts.folder, "cache"));
    await call(hosts.cloud, "PUT", "/firewall-rules", { data: [] });
    const body = { name: `${name}-us-east-1`, region: "us-east-1", rules: [rule(callerRule)] };
    ruleset = (await call(hosts.cloud, "POST", "/firewall-rulesets", body)).body.data.id;
    booted = await hosts.boot({ name, firewall_rulesets: [{ id: ruleset }] });
    booted.ssh.end();
    await hosts.admin.patchSettings({ rateLimit: { enabled: true } });
  }, 90_000);
  afterEach(() => told.splice(0));
  afterAll(async () => {
    await hosts.stop();
    vi.unstubAllEnvs();
  });

  const rule = (description: string) => ({
    protocol: "tcp",
    port_range: [22, 22],
    source_network: "127.0.0.1/32",
    description,
  });
  const networks = async (): Promise<string[]> =>
    (await hosts.admin.state()).rulesets.flatMap(({ rules }) => rules.map(({ source_network }) => source_network));
  const open = (): Promise<void> => {
    const { id, target } = booted;
    const tell = (line: string): void => void told.push(line);
    return openWay({ id, access: target, endpoint: "emulated" }, () => connectCloud("emulated"), tell);
  };

  it("changes nothing where the way is open", async () => {
    await open();
    expect(told).toEqual([]);
    expect(await networks()).toEqual(["127.0.0.1/32"]);
  });

  it("is told what to name where the user has named networks", async () => {
    await call(hosts.cloud, "PATCH", `/firewall-rulesets/${ruleset}`, { rules: [rule(namedRule)] });
    await hosts.admin.patchSettings({ caller: { address: moved } });
    await open();
    expect(told.join()).toContain(`Add ${moved}/32`);
    expect(await networks()).toEqual(["127.0.0.1/32"]);
    await expect(connect(booted.target, 300)).rejects.toThrow(/Timed out/);
  });

  it("is let in by the stack's own ruleset, which says so, and nobody else is", async () => {
    await call(hosts.cloud, "PATCH", `/firewall-rulesets/${ruleset}`, { rules: [rule(callerRule)] });
    await open();
    expect(told.join()).toContain(`This machine's address is now ${moved}`);
    expect(await networks()).toEqual(["127.0.0.1/32", `${moved}/32`]);
    (await connect(booted.target)).end();
  });
});
