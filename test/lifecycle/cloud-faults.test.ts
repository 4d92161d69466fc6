import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { nothing, TestCloud } from "../support/cloud";
import { type Ended, Project } from "../support/project";
import { useTinyWorkload } from "../support/tiny";

/** Faults of the cloud and of this machine, each through the real CLI. After each, nothing is left that nobody knows. */
describe("faults of the cloud", { timeout: 180_000 }, () => {
  const project = new Project();
  let cloud: TestCloud;

  beforeAll(async () => {
    useTinyWorkload(project, { overrides: { steps: 100_000 } });
    await project.init();
    cloud = await TestCloud.start(project);
  });
  afterEach(async () => {
    await cloud.admin.removeAllFaults();
    const { code, output } = await project.run("down", ["--keep-cloud"]);
    expect(code, output).toBe(0);
    expect(await cloud.inventory()).toEqual(nothing);
    expect(await project.resources()).toEqual([]);
  }, 60_000);
  afterAll(() => project.dispose());

  const up = async (): Promise<string> => {
    const { code, output } = await project.run("up");
    expect(code, output).toBe(0);
    return output;
  };
  const upFails = async (): Promise<string> => {
    const { code, output } = await project.run("up");
    expect(code, output).not.toBe(0);
    return output;
  };
  /** The state knows what is rented, and nothing else is. */
  const expectKnown = async (): Promise<string> => {
    const { instances } = await cloud.inventory();
    const known = (await project.resources()).filter(({ type }) => type.endsWith("lambda-train:Instance"));
    expect(instances).toHaveLength(1);
    expect(known.map(({ id }) => id)).toEqual(instances);
    return instances[0] ?? "";
  };
  /** Starts `pulumi up` and kills its CLI with SIGKILL as soon as something is so. */
  const killWhen = async (so: (output: string) => Promise<boolean>): Promise<Ended> => {
    const { child, ended } = project.start("pulumi", ["up", "--yes", "--skip-preview", "--non-interactive"]);
    let output = "";
    child.stdout?.on("data", (chunk: Buffer) => {
      output += chunk.toString();
    });
    const deadline = Date.now() + 60_000;
    while (!(await so(output))) {
      if (Date.now() > deadline) throw new Error(`It never came to that: ${output}`);
      await sleep(50);
    }
    child.kill("SIGKILL");
    return ended;
  };
  const launching = async (output: string): Promise<boolean> => /Instance instance-vm creating/.test(output);

  it("waits while capacity is refused although it is listed, and takes it when it comes", async () => {
    await cloud.admin.setCapacity({ instanceType: "cpu_4x_general", region: "us-east-1", free: 0, listed: true });
    const running = project.run("up");
    await sleep(12_000);
    expect((await cloud.inventory()).instances).toEqual([]);
    await cloud.admin.setCapacity({ instanceType: "cpu_4x_general", region: "us-east-1", free: null, listed: "auto" });
    const { code, output } = await running;
    expect(code, output).toBe(0);
    expect(output).toMatch(/waiting for capacity/i);
    await expectKnown();
  });

  it("gives up on capacity in the time given, naming what was tried, with nothing rented", async () => {
    project.configure({
      experiment: "configs/tiny.yaml",
      capacityTimeoutMinutes: 0,
      instanceTypes: ["gpu_8x_h100_sxm5"],
    });
    await cloud.admin.setCapacity({ instanceType: "gpu_8x_h100_sxm5", region: "*", free: 0, listed: true });
    const output = await upFails();
    expect(output).toMatch(/capacity/i);
    expect(output).toContain("gpu_8x_h100_sxm5");
    expect((await cloud.inventory()).instances).toEqual([]);
    project.configure({ experiment: "configs/tiny.yaml" });
  });

  it("a launch whose answer is lost is found again and never repeated", async () => {
    await cloud.admin.addApiFault({ match: { operation: "launchInstance" }, times: 1, action: { resetAfter: true } });
    await up();
    await expectKnown();
    expect((await cloud.admin.state()).instances.filter(({ status }) => status === "active")).toHaveLength(1);
  });

  it("kill -9 while the launch is under way: the next up adopts the instance", async () => {
    await cloud.admin.addApiFault({ match: { operation: "launchInstance" }, times: 1, action: { delayMs: 2500 } });
    await killWhen(launching);
    const output = await up();
    await expectKnown();
    expect(output).toContain("its lock is removed");
    expect(output).not.toMatch(/warning|pending/);
  });

  it("kill -9 while the launch is under way: destroy terminates what the state never got to know", async () => {
    await cloud.admin.addApiFault({ match: { operation: "launchInstance" }, times: 1, action: { delayMs: 1500 } });
    await killWhen(launching);
    await sleep(3000);
  });

  it("kill -9 while the instance boots: the next up goes on with the same instance", async () => {
    await cloud.admin.addInstanceFault({ match: {}, times: 1, trouble: { kind: "stuck-booting" } });
    await killWhen(async (output) => /Boot instance-boot creating/.test(output));
    const before = await expectKnown();
    await cloud.admin.removeAllFaults();
    // As where the command that had removed the lock was killed itself before it came to the rest.
    expect((await project.pulumi(["cancel", "--yes"])).code).toBe(0);
    expect(await up()).not.toMatch(/warning|pending/);
    expect(await expectKnown()).toBe(before);
  });

  it("an sshd that comes late is waited for", async () => {
    await cloud.admin.addInstanceFault({ match: {}, times: 1, trouble: { kind: "ssh-late", seconds: 900 } });
    expect(await up()).toContain("waiting for SSH");
    await expectKnown();
  });

  it("another host key than ours is refused, before anything is sent", async () => {
    await cloud.admin.addInstanceFault({ match: {}, times: 1, trouble: { kind: "wrong-host-key" } });
    const output = await upFails();
    expect(output).toMatch(/host key/i);
    expect(output).not.toContain("tiny: sent");
    await expectKnown();
  });

  it("an instance that ends behind our back is seen by a refresh, and the next up rents another", async () => {
    await up();
    const first = await expectKnown();
    await cloud.admin.terminate(first);
    expect(JSON.parse((await project.run("status", ["--json"])).output)).toMatchObject({
      instance: { status: expect.stringMatching(/terminat|gone/) },
    });
    const { code, output } = await project.pulumi(["refresh", "--yes"]);
    expect(code, output).toBe(0);
    await up();
    expect(await expectKnown()).not.toBe(first);
  });

  it.each([
    ["an inactive account", { account: { state: "inactive" } } as const, /inactive|payment/i],
    ["an invalid billing address", { account: { state: "invalid-address" } } as const, /billing address/i],
    ["no quota", { quota: { instances: 0 } } as const, /quota/i],
  ])("%s is told apart, with nothing rented", async (_name, patch, message) => {
    const { account, quota } = await cloud.admin.settings();
    await cloud.admin.patchSettings(patch);
    try {
      expect(await upFails()).toMatch(message);
      expect((await cloud.inventory()).instances).toEqual([]);
    } finally {
      await cloud.admin.patchSettings({ account, quota });
    }
  });

  it("storms of 429, 500, 502 and resets are ridden out", async () => {
    for (const answer of ["rate-limited", "server-error", "bad-gateway", "rate-limited-json"] as const) {
      await cloud.admin.addApiFault({ match: { method: "GET" }, times: 2, action: { answer } });
    }
    await cloud.admin.addApiFault({
      match: { operation: "launchInstance" },
      times: 1,
      action: { answer: "rate-limited" },
    });
    await up();
    await expectKnown();
  });
});
