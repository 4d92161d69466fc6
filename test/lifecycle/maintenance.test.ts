import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Notice } from "../../notices/notice";
import { verifyResults } from "../../remote/transfer/download";
import type { TestCloud } from "../support/cloud";
import { Inbox } from "../support/inbox";
import { Project } from "../support/project";
import { startTinyStack } from "../support/tiny";

/** Lambda maintains the host of a running run; each test goes on from where the one before ended. */
describe("maintenance", { timeout: 120_000 }, () => {
  const project = new Project();
  const results = join(project.folder, "results", "test", "tiny-v1");
  let cloud: TestCloud;
  let inbox: Inbox;
  let instance: string;

  beforeAll(async () => {
    inbox = await Inbox.start();
    const stack = { notify: [{ webhook: `${inbox.address}/hook` }] };
    cloud = await startTinyStack(project, { overrides: { steps: 100_000 }, stack });
    await project.succeeds("up");
    instance = (await project.outputs()).instanceId as string;
  }, 120_000);
  afterAll(async () => {
    inbox.stop();
    await project.dispose();
  });

  /** Ten minutes of the cloud's, for which an answer counts. */
  const later = (): Promise<void> => sleep(5_500);
  const told = (): Notice[] => inbox.at<Notice>("/hook").filter(({ event }) => event === "maintenance");

  it("that is far is shown and told once, and downloads nothing", async () => {
    expect(await project.succeeds("status")).not.toContain("maintenance");
    await cloud.admin.addMaintenance({ instanceIds: [instance], detail: "GPU swap", inSeconds: 3 * 3600 });
    await later();
    expect(await project.succeeds("status")).toMatch(
      /\nmaintenance maintenance begins at \S+Z \(in 3 h\) \(GPU swap\)\n/,
    );
    const { maintenance } = JSON.parse(await project.succeeds("status", ["--json"]));
    expect(maintenance).toMatchObject([{ status: "scheduled", urgency: "critical_with_deadline", notAfter: null }]);
    for (let i = 0; i < 2; i++) {
      const watched = await project.succeeds("watch");
      expect(watched).toMatch(/ {2}maintenance begins at .*\(GPU swap\)/);
      expect(watched).not.toContain("Downloaded");
    }
    expect(existsSync(results)).toBe(false);
    expect(told()).toMatchObject([
      { text: expect.stringMatching(/Lambda's maintenance begins at .* on cpu_4x_general/) },
    ]);
  });

  it("that is near brings the results home at every watch, while the run goes on", async () => {
    await cloud.admin.addMaintenance({ instanceIds: [instance], detail: "Cooling", urgency: "emergency" });
    await later();
    for (let i = 0; i < 2; i++) {
      rmSync(results, { recursive: true, force: true });
      const watched = await project.succeeds("watch");
      expect(watched).toContain("emergency maintenance may begin at any moment (Cooling)");
      expect(watched).toMatch(/Downloaded before the maintenance: \d+ files, .* verified in results\/test\/tiny-v1\./);
      expect(await verifyResults(results)).toMatchObject({ ok: true });
    }
    expect(told()).toHaveLength(2);
    expect(JSON.parse(await project.succeeds("status", ["--json"])).run.state).toBe("running");
  });

  it("that the account can't ask for is none, without a word", async () => {
    const body = JSON.stringify({
      error: { code: "global/not-found", message: "The requested resource was not found." },
    });
    await cloud.admin.addApiFault({
      match: { path: "/maintenance_events*" },
      action: { answer: { status: 404, body } },
    });
    await later();
    for (const command of ["status", "watch"]) {
      const output = await project.succeeds(command);
      expect(output).not.toMatch(/maintenance|not-found|warning/i);
    }
  });
});
