import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parseLedger } from "../../lambda/billing/ledger";
import type { Notice } from "../../notices/notice";
import { verifyResults } from "../../remote/transfer/download";
import { brieflyLost, shortenWaits } from "../support/agent-waits";
import { nothing, type TestCloud } from "../support/cloud";
import { inFleetSuite } from "../support/fleet-suite";
import { Inbox } from "../support/inbox";
import { Project } from "../support/project";
import { configureTiny, startTinyStack, type TinyChanges } from "../support/tiny";

/** What goes wrong with one of two machines; each test goes on from where the one before ended. */
describe("a training on two machines of which one fails", { timeout: 300_000 }, () => {
  const project = new Project();
  let cloud: TestCloud;
  let inbox: Inbox;
  /** One of a half launch, two, and one for another that is lost. */
  let launched = 4;

  const changesFor = (nodes: number): TinyChanges => ({
    overrides: { steps: 100_000 },
    train: { nodes },
    stack: { capacityTimeoutMinutes: 0, notify: [{ webhook: `${inbox.address}/hook` }] },
  });
  const notices = (): string[] => inbox.at<Notice>("/hook").map(({ event, experiment }) => `${event} ${experiment}`);

  beforeAll(async () => {
    inbox = await Inbox.start();
    shortenWaits(project, brieflyLost);
    cloud = await startTinyStack(project, changesFor(2));
  }, 120_000);
  afterAll(async () => {
    await project.dispose();
    inbox.stop();
  });

  const free = (count: number | null): Promise<unknown> =>
    cloud.admin.setCapacity({ instanceType: "cpu_4x_general", region: "us-east-1", free: count, listed: true });
  const instances = async (): Promise<Record<string, string>> =>
    (await project.outputs()).instanceId as Record<string, string>;
  const status = async (): Promise<string> => (await project.run("status")).output;
  const on = (rank: number, line: string): Promise<string> =>
    project.succeeds("exec", ["--rank", String(rank), "bash", "-c", line]);

  it("launches both or none: capacity for one is given back at once", async () => {
    await free(1);
    const output = await project.fails("up");
    expect(output).toContain("1 of 2 cpu_4x_general in us-east-1 were launched and are terminated");
    expect(output).toContain("No capacity now for cpu_4x_general in us-east-1; nothing was launched");
    expect((await cloud.inventory()).instances).toEqual([]);
    const { bills } = parseLedger(join(project.folder, "results/test/ledger.jsonl"));
    expect(bills).toHaveLength(1);
    await free(null);
  });

  it("gives each its place, and tells of them once", async () => {
    await project.succeeds("up");
    expect(notices().filter((each) => each.startsWith("started"))).toEqual(["started tiny-v1"]);
    const variables =
      "tr '\\0' '\\n' < /proc/$(pgrep -f [t]rain.py | head -1)/environ | grep -E '^(NODE_|NNODES|RANK|WORLD|LOCAL_RANK|NPROC|GLOO)'";
    const expected = (rank: number): string[] => [
      "GLOO_SOCKET_IFNAME=",
      "LOCAL_RANK=0",
      "NNODES=2",
      `NODE_RANK=${rank}`,
      "NPROC_PER_NODE=1",
      `RANK=${rank}`,
      "WORLD_SIZE=2",
    ];
    for (const rank of [0, 1]) {
      const lines = (await on(rank, variables)).trim().split("\n").sort();
      expect(lines).toEqual(expected(rank).map((line) => expect.stringContaining(line)));
    }
    expect(await on(1, "cat ~/.lambda-train/fleet/fleet.json")).toContain('"me": "machine-2"');
  });

  it("refuses another machine for a run that goes on, before one is launched", async () => {
    configureTiny(project, changesFor(3));
    const output = (await project.fails("up")).replace(/\s+/g, " ");
    expect(output).toContain("tiny-v1 still trains on 2 machines, and train.nodes is now 3. Nothing was launched.");
    expect((await cloud.inventory()).instances).toHaveLength(2);
    configureTiny(project, changesFor(2));
    await project.succeeds("up");
    expect(await status()).toMatch(/run +tiny-v1 {2}running[\s\S]*run +tiny-v1 {2}running/);
  });

  it("lets the fleet's key ask the agent, and nothing else", async () => {
    const { machine: ip } = (await project.outputs()).instanceIp as { machine: string };
    const options =
      "-F /dev/null -i ~/.lambda-train/fleet/key -o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null";
    const say = (question: string, words = ""): string =>
      `echo '${question}' | ssh ${options} ubuntu@${ip} ${words} 2>&1 | tail -1`;
    expect(await on(1, say('{"verb": "alive", "document": {}}'))).toContain('{"ok": {}}');
    expect(await on(1, say('{"verb": "alive", "document": {}}', "cat /etc/passwd"))).toContain('{"ok": {}}');
    expect(await on(1, say('{"verb": "stop", "document": {}}'))).toContain("no verb stop");
  });

  it("stops rank 0 where rank 1 fails, and `up` starts both again", async () => {
    await on(1, "pkill -9 -f [t]rain.py");
    expect(await project.fails("wait")).toMatch(/tiny-v1: stopped/);
    expect(await status()).toContain("(rank 1 failed)");
    await project.succeeds("up", ["--refresh"]);
    expect(await status()).toMatch(/start 2[\s\S]*start 2/);
  });

  inFleetSuite(() => {
    it("stops rank 1 where rank 0 is stopped, for the same reason, and `up` starts both again", async () => {
      const before = notices().length;
      expect(await project.succeeds("stop")).toMatch(/Instances \w+, \w+ keep billing/);
      expect(notices().slice(before)).toEqual(["finished tiny-v1"]);
      expect(await status()).toMatch(/run +tiny-v1 {2}stopped[\s\S]*run +tiny-v1 {2}stopped/);
      await project.succeeds("up");
      expect(await status()).toMatch(/run +tiny-v1 {2}running[\s\S]*run +tiny-v1 {2}running/);
    });
  });

  it("stops rank 0 where rank 1's machine is lost, and `up` launches that one alone", async () => {
    const before = await instances();
    await cloud.admin.terminate(before["machine-2"] ?? "");
    expect(await project.fails("wait")).toMatch(/tiny-v1: stopped/);
    expect(await status()).toContain("(node lost)");
    await project.succeeds("up");
    const after = await instances();
    expect(after.machine).toBe(before.machine);
    expect(after["machine-2"]).not.toBe(before["machine-2"]);
    expect(await status()).toMatch(/run +tiny-v1 {2}running[\s\S]*run +tiny-v1 {2}running/);
  });

  inFleetSuite(() => {
    it("goes on from another machine's copy of the checkpoints where rank 0's machine is lost", async () => {
      const copies = "ls ~/.lambda-train/nodes/tiny-v1/checkpoints | grep -v partial";
      const copied = async (): Promise<string> =>
        (await project.run("exec", ["--rank", "1", "bash", "-c", copies])).output;
      await expect.poll(copied, { timeout: 60_000, interval: 2_000 }).toContain("best_model.pt");
      const before = await instances();
      await cloud.admin.terminate(before.machine ?? "");
      await expect.poll(status, { timeout: 100_000, interval: 5_000 }).toContain("(node lost)");
      await project.succeeds("up");
      launched += 1;
      expect((await instances())["machine-2"]).toBe(before["machine-2"]);
      expect(await project.succeeds("logs", ["--no-follow"])).toMatch(/took \d+ checkpoint files .* from machine-2/);
    });
  });

  it("leaves nothing behind, and gives up the results alone that can't come home", async () => {
    const { "machine-2": instanceId = "" } = await instances();
    await cloud.admin.addLinkFault({ match: { instanceId }, trouble: { kind: "refuse" } });
    const down = (await project.succeeds("down", ["--keep-cloud", "--lose-results"])).replace(/\s+/g, " ");
    expect(down).toContain(`tiny-v1 on instance ${instanceId}: results given up`);
    expect(await verifyResults(join(project.folder, "results/test/tiny-v1"))).toMatchObject({ ok: true });
    expect(await cloud.inventory()).toEqual(nothing);
    expect(parseLedger(join(project.folder, "results/test/ledger.jsonl")).bills).toHaveLength(launched);
  });
});
