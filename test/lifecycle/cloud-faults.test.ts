import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { nothing, type TestCloud } from "../support/cloud";
import { type Ended, Project } from "../support/project";
import { startTinyStack } from "../support/tiny";

/** A CLI that is killed at moments when the cloud goes on without it. After each, nothing is left that nobody knows. */
describe("a killed CLI", { timeout: 180_000 }, () => {
  const project = new Project();
  let cloud: TestCloud;

  beforeAll(async () => {
    cloud = await startTinyStack(project, { overrides: { steps: 100_000 } });
  });
  afterEach(async () => {
    await cloud.admin.removeAllFaults();
    await project.succeeds("down", ["--keep-cloud"]);
    expect(await cloud.inventory()).toEqual(nothing);
    expect(await project.resources()).toEqual([]);
  }, 60_000);
  afterAll(() => project.dispose());

  const up = (): Promise<string> => project.succeeds("up");
  /** The state knows what is rented, and nothing else is. */
  const expectKnown = async (): Promise<string> => {
    const { instances } = await cloud.inventory();
    const known = (await project.resources()).filter(({ type }) => type.endsWith("lambda-train:Instance"));
    expect(instances).toHaveLength(1);
    expect(known.map(({ id }) => id)).toEqual(instances);
    return instances[0] ?? "";
  };
  /** Starts `pulumi up`, or another command, and kills its CLI with SIGKILL as soon as something is so. */
  const killWhen = async (so: (output: string) => Promise<boolean>, command = "up"): Promise<Ended> => {
    const { child, ended } = project.start("pulumi", [command, "--yes", "--skip-preview", "--non-interactive"]);
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
  /** The cloud has the call that a fault delays: it goes through, although nobody waits for its answer any more. */
  const isTaken = async (): Promise<boolean> => (await cloud.admin.faults()).api.some(({ fired }) => fired > 0);

  it("kill -9 while the launch is under way: the next up adopts the instance", async () => {
    await cloud.admin.addApiFault({ match: { operation: "launchInstance" }, times: 1, action: { delayMs: 2500 } });
    await killWhen(isTaken);
    // A provider that was not called before its engine was killed does not know that it is gone.
    const provider = "idle/cmd/dynamic-provider/index.js";
    project.write(provider, "setInterval(() => {}, 1000);\n");
    const idle = project.start(process.execPath, [provider, "127.0.0.1:9"]);
    const output = await up();
    await expectKnown();
    expect((await idle.ended).code).toBe(137);
    expect(output).toContain("Removed its lock");
    expect(output).not.toMatch(/warning|pending/);
  });

  it("kill -9 while the launch is under way: destroy terminates what the state never got to know", async () => {
    await cloud.admin.addApiFault({ match: { operation: "launchInstance" }, times: 1, action: { delayMs: 1500 } });
    await killWhen(isTaken);
    await sleep(3000);
  });

  it("kill -9 while destroy ends the instance: the next up sees that it is gone, and rents another", async () => {
    await up();
    const before = await expectKnown();
    await cloud.admin.addApiFault({ match: { operation: "terminateInstance" }, times: 1, action: { delayMs: 1500 } });
    await killWhen(isTaken, "destroy");
    await expect.poll(async () => (await cloud.inventory()).instances, { timeout: 20_000 }).toEqual([]);
    await up();
    expect(await expectKnown()).not.toBe(before);
  });

  it("kill -9 while the instance boots: the next up goes on with the same instance", async () => {
    await cloud.admin.addInstanceFault({ match: {}, times: 1, trouble: { kind: "stuck-booting" } });
    // The state is on the disk by then: a kill while its file is written would cut that short.
    const isSaved = (): boolean => Date.now() - project.stateWrittenAt() > 500;
    await killWhen(async (output) => /Boot instance-boot creating/.test(output) && isSaved());
    const before = await expectKnown();
    await cloud.admin.removeAllFaults();
    // As where the command that had removed the lock was killed itself before it came to the rest.
    expect((await project.pulumi(["cancel", "--yes"])).code).toBe(0);
    expect(await up()).not.toMatch(/warning|pending/);
    expect(await expectKnown()).toBe(before);
  });
});
