import { existsSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parseLedger } from "../../lambda/billing/ledger";
import { verifyResults } from "../../remote/transfer/download";
import { nothing, type TestCloud } from "../support/cloud";
import { Inbox } from "../support/inbox";
import { Project } from "../support/project";
import { startTinyStack } from "../support/tiny";

/** `pulumi stack rename` while training goes on; each test goes on from where the one before ended. */
describe("a stack that is renamed", { timeout: 120_000 }, () => {
  const project = new Project();
  let cloud: TestCloud;
  let inbox: Inbox;
  let before: { id: string; run: Record<string, unknown>; sshKeys: string[]; rulesets: string[] };

  const status = async () => JSON.parse((await project.run("status", ["--json", "--stack", "other"])).output);

  beforeAll(async () => {
    inbox = await Inbox.start();
    project.env.TRAIN_HOOK = `${inbox.address}/hook`;
    cloud = await startTinyStack(project, {
      overrides: { steps: 100_000 },
      stack: { notify: [{ webhook: "$TRAIN_HOOK" }] },
    });
    await project.succeeds("up");
    const { run, instance } = JSON.parse((await project.run("status", ["--json"])).output);
    const { sshKeys, rulesets } = await cloud.inventory();
    before = { id: instance.id, run, sshKeys, rulesets };
    const renamed = await project.pulumi(["stack", "rename", "other"]);
    expect(renamed.code, renamed.output).toBe(0);
    project.env.PULUMI_STACK = "other";
  }, 120_000);
  afterAll(async () => {
    inbox.stop();
    await project.dispose();
  });

  it("has all that it had, and what looks at it finds it", async () => {
    expect(await status()).toMatchObject({ stack: "other", instance: { id: before.id }, run: { state: "running" } });
    expect((await project.run("watch")).code).toBe(0);
    const reaped = await project.run("reap", ["--endpoint", "emulated", "--min-age", "0"]);
    expect(reaped).toMatchObject({ code: 0, output: expect.stringContaining("No leftovers") });
  });

  it("goes on through an up: nothing is replaced, the run is not touched, the tag tells the new name", async () => {
    const output = await project.succeeds("up");
    expect(output).not.toMatch(/replac|deleted|\bcreated\b/);
    const { instance, run } = await status();
    expect(instance.id).toBe(before.id);
    expect(run).toMatchObject({ state: "running", attempt: 1, startedAt: before.run.startedAt });
    expect(await cloud.inventory()).toMatchObject({
      instances: [before.id],
      sshKeys: before.sshKeys,
      rulesets: before.rulesets,
    });
    const { tags } = await cloud.admin.instance(before.id);
    expect(Object.fromEntries(tags.map(({ key, value }) => [key, value]))).toMatchObject({ stack: "other" });
    expect(await project.succeeds("up")).not.toMatch(/updated|replac/);
    expect(inbox.at<{ event: string }>("/hook").map(({ event }) => event)).toEqual(["started"]);
  });

  it("brings its results home and its bill under the new name", async () => {
    await project.succeeds("down", ["--keep-cloud"]);
    expect(await cloud.inventory()).toEqual(nothing);
    const home = join(project.folder, "results", "other");
    expect(await verifyResults(join(home, "tiny-v1"))).toMatchObject({ ok: true });
    const bills = parseLedger(join(home, "ledger.jsonl")).bills;
    expect(bills).toMatchObject([{ instanceId: before.id, stack: "other" }]);
    expect(existsSync(join(project.folder, "results", "test"))).toBe(false);
  });
});
