import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Cloud } from "../../emulator/cloud";
import { Project } from "../support/project";

/** A stack of an account whose API key lies in its configuration alone, as docs/real-account.md offers. */
describe("an API key in the stack's configuration", { timeout: 60_000 }, () => {
  const project = new Project();
  let cloud: Cloud;

  beforeAll(async () => {
    cloud = await Cloud.start({ timeScale: 600 });
    const post = async (path: string, body: object): Promise<{ data: { instance_ids: string[] } }> => {
      const headers = { authorization: `Bearer ${cloud.apiKey}`, "content-type": "application/json" };
      const answer = await fetch(`${cloud.url}${path}`, { method: "POST", headers, body: JSON.stringify(body) });
      return (await answer.json()) as { data: { instance_ids: string[] } };
    };
    const publicKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ4yZ0cnu0cYc8T0dWDNKPMVbhEPWLg1Z6f8gcFSRKOz";
    await post("/ssh-keys", { name: "key", public_key: publicKey });
    const launch = { region_name: "us-east-1", instance_type_name: "cpu_4x_general", ssh_key_names: ["key"] };
    const { data } = await post("/instance-operations/launch", launch);
    project.configure({ endpoint: cloud.url });
    await project.init();
    const { output } = await project.pulumi(["stack", "export"]);
    const state = JSON.parse(output);
    const type = "pulumi-nodejs:dynamic/lambda-train:Instance";
    const outputs = { endpoint: cloud.url, instanceType: "cpu_4x_general", region: "us-east-1", priceCentsPerHour: 20 };
    const urn = `urn:pulumi:test::lambda-train::${type}::instance-vm`;
    state.deployment.resources = [{ urn, type, custom: true, id: data.instance_ids[0], inputs: {}, outputs }];
    project.write("state.json", JSON.stringify(state));
    expect(await project.pulumi(["stack", "import", "--file", "state.json"])).toMatchObject({ code: 0 });
  });
  afterAll(async () => {
    await project.dispose();
    await cloud.stop();
  });

  const status = async (): Promise<string> =>
    JSON.parse((await project.run("status", ["--json"])).output).instance.status;

  it("serves the operator commands as it serves `up`", async () => {
    expect(await status()).toContain("No Lambda API key");
    expect(await project.pulumi(["config", "set", "--secret", "lambda-train:apiKey", cloud.apiKey])).toMatchObject({
      code: 0,
    });
    expect(await status()).toMatch(/^(booting|active)$/);
  });
});
