import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { verifyResults } from "../../remote/transfer/download";
import { nothing, type TestCloud } from "../support/cloud";
import { Project } from "../support/project";
import { configureTiny, startTinyStack } from "../support/tiny";

/** What has a name of its own in the account cannot be there twice: it and what uses it must go before it is made anew. */
describe("what a user replaces by force", { timeout: 180_000 }, () => {
  const project = new Project();
  let cloud: TestCloud;

  const changes = { overrides: { steps: 100_000 } };
  const recoveryKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f somebody";

  beforeAll(async () => {
    cloud = await startTinyStack(project, changes);
    await project.succeeds("up");
  });
  afterAll(() => project.dispose());

  it.each(["instance-ssh-key", "instance-firewall-us-east-1"])(
    "%s: the results come home, the instance goes, and all comes anew under the same name",
    async (name) => {
      const before = await cloud.inventory();
      const { code, output } = await project.pulumi(["up", "--yes", "--skip-preview", "--replace", `**${name}`]);
      expect(code, output).toBe(0);
      const { ok, source } = await verifyResults(join(project.folder, "results/test/tiny-v1"));
      expect(ok).toBe(true);
      expect(source).toMatch(new RegExp(`^${before.instances[0]}:tiny-v1@[0-9a-f]{12}\\.[0-9a-f]{8}$`));
      const after = await cloud.inventory();
      expect(after).toEqual({ ...before, instances: [expect.any(String)] });
      expect(after.instances).not.toEqual(before.instances);
      expect(await project.succeeds("up", ["--refresh"])).not.toMatch(/ (creating|created|deleting|deleted|replac)/);
      expect(await cloud.inventory()).toEqual(after);
    },
  );

  it("is refused where a change of the configuration would replace the instance under a run", async () => {
    const before = await cloud.inventory();
    const urns = async (): Promise<string[]> => (await project.resources()).map(({ urn }) => urn).sort();
    const resources = await urns();
    for (const stack of [
      { instanceTypes: ["gpu_1x_a10"] },
      { imageFamily: "lambda-stack-22-04" },
      { recoveryKeys: [recoveryKey] },
      { fileSystem: "kept", createFileSystem: true },
    ]) {
      configureTiny(project, { ...changes, stack });
      const output = await project.fails("up");
      expect(output).toMatch(/tiny-v1 runs on instance \S+, which these changes would replace: .*Nothing was changed/);
      expect(output).toContain("npm run up -- --restart");
      expect(await cloud.inventory()).toEqual(before);
      expect(await urns()).toEqual(resources);
    }
    configureTiny(project, { ...changes, stack: { recoveryKeys: [recoveryKey] } });
    await project.succeeds("up", ["--restart"]);
    expect((await cloud.inventory()).instances).not.toEqual(before.instances);
    const { ok, source } = await verifyResults(join(project.folder, "results/test/tiny-v1"));
    expect(ok).toBe(true);
    expect(source).toContain(`${before.instances[0]}:`);
  });

  it("leaves nothing when it is destroyed", async () => {
    await project.succeeds("down", ["--keep-cloud"]);
    expect(await cloud.inventory()).toEqual(nothing);
  });
});
