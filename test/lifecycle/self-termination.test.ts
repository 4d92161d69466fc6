import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { verifyResults } from "../../remote/transfer/download";
import { nothing, TestCloud } from "../support/cloud";
import { Project } from "../support/project";
import { useTinyWorkload } from "../support/tiny";

/**
 * An instance that may end itself, under the API's real limit: it knows nothing of a cloud whose time runs fast. Each test
 * goes on from where the one before ended.
 */
describe("self-termination", { timeout: 300_000 }, () => {
  const project = new Project();
  let cloud: TestCloud;
  let key: string;
  let id: string;

  beforeAll(async () => {
    cloud = await TestCloud.start(project, 1);
    await cloud.admin.patchSettings({ seconds: { bootCpu: 1, sshLag: 0, terminating: 2 } });
    ({ key } = await cloud.admin.addKey("instance"));
    const stack = { selfTerminate: true, selfTerminateAfterMinutes: 0.05 };
    useTinyWorkload(project, { overrides: { steps: 10 }, stack });
    await project.init();
    await project.pulumi(["config", "set", "--secret", "selfTerminateApiKey", key]);
    const output = await project.succeeds("up");
    expect(output).toContain("it holds an API key");
    expect(output).not.toContain(key);
    id = (await project.outputs()).instanceId as string;
  }, 240_000);
  afterAll(() => project.dispose());

  const until = async <T>(look: () => Promise<T | undefined>, seconds = 90): Promise<T> => {
    const deadline = Date.now() + seconds * 1000;
    for (;;) {
      const seen = await look();
      if (seen !== undefined) return seen;
      if (Date.now() > deadline)
        throw new Error(`Nothing came within ${seconds} s: ${(await project.run("status")).output}`);
      await sleep(500);
    }
  };
  const selfEnd = async (): Promise<string> =>
    /^self-end +(.*)$/m.exec((await project.run("status")).output)?.[1] ?? "";
  const lives = async (): Promise<boolean> => (await cloud.inventory()).instances.includes(id);

  const refuse = (): Promise<unknown> => {
    const body = JSON.stringify({ error: { code: "global/invalid-api-key", message: "no" } });
    const fault = { match: { operation: "terminateInstance" }, action: { answer: { status: 401, body } } };
    return cloud.admin.addApiFault(fault);
  };

  it("the key lies in a file for its user alone, and nowhere else", async () => {
    const script =
      'cd ~/.lambda-train/self-terminate; stat -c "%a %U" key .; ' +
      "grep -laF -f key /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null; " +
      'grep -rslF -f key "$HOME" | grep -v /self-terminate/key; echo end';
    const output = await project.succeeds("ssh", ["--", script]);
    expect(output.trim().split("\n")).toEqual(["600 ubuntu", "700 ubuntu", "end"]);
    expect(project.stateText().includes(key)).toBe(false);
    expect(JSON.stringify(await project.outputs(true))).not.toContain(key);
  });

  it("it does not end while its results are nowhere else", async () => {
    await until(async () => ((await selfEnd()).startsWith("waits: ") ? true : undefined));
    expect(await selfEnd()).toContain("the results of tiny-v1 are not at home (npm run results)");
    expect(await lives()).toBe(true);
  });

  it("it does not end under somebody who works there", async () => {
    const wait = "until [ -f /tmp/left ]; do sleep 0.2; done";
    const { ended } = project.start(process.execPath, ["dist/cli/exec.js", "--", "bash", "-c", wait]);
    await until(async () => ((await selfEnd()).startsWith("some time after") ? true : undefined));
    await project.succeeds("results");
    await sleep(8000);
    expect(await selfEnd()).toContain("some time after the last work there");
    expect(await lives()).toBe(true);
    // What comes after wants to see it refused.
    await refuse();
    await project.succeeds("ssh", ["--", "touch /tmp/left"]);
    expect(await ended).toMatchObject({ code: 0 });
  });

  it("it tells that the API refuses it, and tries again until it is gone once they are at home", async () => {
    await until(async () => ((await selfEnd()).startsWith("FAILED, keeps billing: ") ? true : undefined));
    expect(await selfEnd()).toContain("refuses the key (401 global/invalid-api-key)");
    await cloud.admin.removeAllFaults();
    await cloud.admin.addApiFault({ match: { path: `/instances/${id}` }, times: 1, action: { resetBefore: true } });
    await until(async () => ((await lives()) ? undefined : true));
    expect(await verifyResults(`${project.folder}/results/test/tiny-v1`)).toMatchObject({ ok: true });
  });

  it("what comes after sees that it is gone; down cleans up", async () => {
    const output = await project.succeeds("up", ["--preview-only"]);
    expect(output).toContain(`Instance ${id} is gone: it terminated itself`);
    await project.succeeds("down", ["--keep-cloud"]);
    expect(await cloud.inventory()).toEqual(nothing);
  });
});
