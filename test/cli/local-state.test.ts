import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { selectedHere, stateOf } from "../../cli/stack/local-state";
import { secretSignature } from "../../cli/stack/names";
import { projectFolder } from "../../local/paths";

describe("a state read without the CLI", () => {
  const folder = mkdtempSync(join(tmpdir(), "lambda-train-state-"));
  const pulumi = (args: readonly string[], cwd = folder): string =>
    execFileSync("pulumi", [...args, "--non-interactive"], { cwd, encoding: "utf8", stdio: "pipe" });
  const secret = {
    [secretSignature]: "1b47061264138c4ac30d75fd1eb44270",
    plaintext: '{"key":"ünï","more":[1,null]}',
  };

  beforeAll(() => {
    vi.stubEnv("PULUMI_BACKEND_URL", `file://${folder}`);
    vi.stubEnv("PULUMI_CONFIG_PASSPHRASE", "ä phrase");
    writeFileSync(join(folder, "Pulumi.yaml"), "name: lambda-train\nruntime: nodejs\n");
    pulumi(["stack", "init", "one"]);
    const exported = JSON.parse(pulumi(["stack", "export", "--stack", "one"]));
    const type = "pulumi:pulumi:Stack";
    const urn = `urn:pulumi:one::lambda-train::${type}::lambda-train-one`;
    exported.deployment.resources = [{ urn, custom: false, type, outputs: { plain: 1, in: [{ secret }] } }];
    writeFileSync(join(folder, "state.json"), JSON.stringify(exported));
    pulumi(["stack", "import", "--stack", "one", "--file", "state.json"]);
  });
  afterAll(() => {
    vi.unstubAllEnvs();
    rmSync(folder, { recursive: true });
  });

  it("is the one that the CLI exports", async () => {
    const exported = JSON.parse(pulumi(["stack", "export", "--stack", "one", "--show-secrets"]));
    expect(exported.deployment.resources[0].outputs.in[0].secret).toEqual(secret);
    expect(JSON.parse((await stateOf("one")) ?? "")).toEqual(exported);
  });

  it("is left to the CLI with another passphrase, for another stack, and where another kind of backend has it", async () => {
    expect(await stateOf("two")).toBeUndefined();
    vi.stubEnv("PULUMI_CONFIG_PASSPHRASE", "another");
    expect(await stateOf("one")).toBeUndefined();
    vi.stubEnv("PULUMI_CONFIG_PASSPHRASE", "ä phrase");
    vi.stubEnv("PULUMI_BACKEND_URL", "https://api.pulumi.com");
    expect(await stateOf("one")).toBeUndefined();
    vi.stubEnv("PULUMI_BACKEND_URL", `file://${folder}`);
  });

  it("is of the stack that the CLI has selected, as long as that is there", () => {
    expect(selectedHere()).toBeUndefined();
    pulumi(["stack", "select", "one"], projectFolder());
    expect(selectedHere()).toBe("one");
    rmSync(join(folder, ".pulumi/stacks/lambda-train/one.json"));
    expect(selectedHere()).toBeUndefined();
  });
});
