import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { verifyResults } from "../../remote/transfer/download";
import { nothing, type TestCloud } from "../support/cloud";
import { Project } from "../support/project";
import { startTinyStack } from "../support/tiny";

/** What has a name of its own in the account cannot be there twice: it and what uses it must go before it is made anew. */
describe("what a user replaces by force", { timeout: 180_000 }, () => {
  const project = new Project();
  let cloud: TestCloud;

  beforeAll(async () => {
    cloud = await startTinyStack(project, { overrides: { steps: 100_000 } });
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
      expect(source).toMatch(new RegExp(`^${before.instances[0]}:tiny-v1@[0-9a-f]{12}$`));
      const after = await cloud.inventory();
      expect(after).toEqual({ ...before, instances: [expect.any(String)] });
      expect(after.instances).not.toEqual(before.instances);
      expect(await project.succeeds("up", ["--refresh"])).not.toMatch(/ (creating|created|deleting|deleted|replac)/);
      expect(await cloud.inventory()).toEqual(after);
    },
  );

  it("leaves nothing when it is destroyed", async () => {
    await project.succeeds("down", ["--keep-cloud"]);
    expect(await cloud.inventory()).toEqual(nothing);
  });
});
