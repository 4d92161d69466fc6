import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readRunFile } from "../../emulator/run-file";
import { newEd25519 } from "../../lambda/account/ed25519";
import type { Notice } from "../../notices/notice";
import { verifyResults } from "../../remote/transfer/download";
import { TestCloud } from "../support/cloud";
import { Inbox } from "../support/inbox";
import { type Ended, Project } from "../support/project";
import { startTinyStack } from "../support/tiny";

/** What watches over money beside `up` and `destroy`; each test goes on from where the one before ended. */
describe("money", { timeout: 120_000 }, () => {
  const project = new Project();
  const results = join(project.folder, "results", "test", "tiny-v1");
  const recovery = newEd25519("me");
  const config: Record<string, unknown> = { experiment: "configs/tiny.yaml", recoveryKeys: [recovery.publicKey] };
  let cloud: TestCloud;
  let inbox: Inbox;
  let ours: string;

  beforeAll(async () => {
    inbox = await Inbox.start();
    project.env.TRAIN_HOOK = `${inbox.address}/h00k`;
    config.notify = [{ webhook: "$TRAIN_HOOK" }, { slack: `${inbox.address}/gone` }];
    cloud = await startTinyStack(project, { overrides: { steps: 100_000 } });
    project.configure(config);
    project.write("recovery-key", recovery.privateKey, 0o600);
    const output = await project.succeeds("up");
    expect(output).toMatch(/warning: notifications: couldn't notify slack 2 .* that training has started.*404/);
    expect(output + project.stateText()).not.toContain("h00k");
    ours = (await project.outputs()).instanceId as string;
    const { tags } = await cloud.admin.instance(ours);
    managed["lambda-train:state"] = tags.find(({ key }) => key === "lambda-train:state")?.value ?? "";
  }, 120_000);
  afterAll(async () => {
    inbox.stop();
    await project.dispose();
  });

  const reap = (args: readonly string[] = [], env: NodeJS.ProcessEnv = {}): Promise<Ended> =>
    project.run("reap", ["--endpoint", "emulated", ...args], env);
  const living = async (): Promise<string[]> => (await cloud.inventory()).instances;
  /** A call of the API beside everything that the project does. */
  const call = async <T>(path: string, body: object): Promise<T> => {
    const { url = "", apiKey = "" } = readRunFile(join(project.folder, ".local")) ?? {};
    const send = (): Promise<Response> =>
      fetch(`${url}${path}`, {
        method: "POST",
        headers: { authorization: `Bearer ${apiKey}`, "content-type": "application/json" },
        body: JSON.stringify(body),
      });
    let answer = await send();
    // The limits are those of the real API.
    for (; answer.status === 429; answer = await send()) await sleep(150);
    const text = await answer.text();
    if (!answer.ok) throw new Error(text);
    return (JSON.parse(text) as { data: T }).data;
  };
  const publicKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ4yZ0cnu0cYc8T0dWDNKPMVbhEPWLg1Z6f8gcFSRKOz";
  /** Launches an instance as a stack would that nobody knows any more. */
  const launch = async (name: string, tags: Record<string, string> = {}): Promise<string> => {
    await call("/ssh-keys", { name, public_key: publicKey });
    const { instance_ids } = await call<{ instance_ids: string[] }>("/instance-operations/launch", {
      region_name: "us-east-1",
      instance_type_name: "cpu_4x_general",
      ssh_key_names: [name],
      name,
      tags: Object.entries(tags).map(([key, value]) => ({ key, value })),
    });
    return instance_ids[0] ?? "";
  };
  /** Tags of what this folder of states has launched. */
  const managed = { "managed-by": "lambda-train", "lambda-train:state": "" };
  const old = () => ({ "lambda-train:launched-at": new Date(Date.now() - 2 * 3_600_000).toISOString() });

  it("the instance knows how far its clock is from this one", async () => {
    const ahead = Number(await project.succeeds("ssh", ["--", "cat .lambda-train/clock"]));
    expect(Math.abs(ahead)).toBeLessThan(5);
  });

  it("what a state knows is not left over, and others' instances are never named", async () => {
    const theirs = [await launch("my-own"), await launch("lambda-train-copied-0a1b2c3d", { team: "ink", ...old() })];
    const { code, output } = await reap(["--yes", "--min-age", "0", "--include-unknown-age", "--any-state"]);
    expect(code, output).toBe(0);
    expect(output).toContain("No leftovers");
    expect((await living()).sort()).toEqual([ours, ...theirs].sort());
  });

  it("an old instance that no state knows goes, dry run first, with its key; a young one stays", async () => {
    const gone = await launch("lambda-train-gone-0a1b2c3d", { ...managed, ...old() });
    const young = await launch("lambda-train-young-0a1b2c3d", {
      ...managed,
      "lambda-train:launched-at": new Date().toISOString(),
    });
    const before = await cloud.inventory();
    const dry = await reap();
    expect(dry.code, dry.output).toBe(1);
    expect(dry.output).toMatch(
      new RegExp(`${gone} +lambda-train-gone-0a1b2c3d +cpu_4x_general .* 2 h +0.20 +\\$0.40 +remove`),
    );
    expect(dry.output).toMatch(new RegExp(`${young} .*too young`));
    expect(await cloud.inventory()).toEqual(before);
    const { code, output } = await reap(["--yes"]);
    expect(code, output).toBe(0);
    const after = await cloud.inventory();
    expect(after.instances.sort()).toEqual(before.instances.filter((id) => id !== gone).sort());
    expect(before.sshKeys.filter((name) => !after.sshKeys.includes(name))).toEqual(["lambda-train-gone-0a1b2c3d"]);
  });

  it("an instance of unknown age, and one whose state is kept elsewhere, are left unless asked for", async () => {
    const ageless = await launch("lambda-train-ageless-0a1b2c3d", { ...managed, "lambda-train:launched-at": "soon" });
    const elsewhere = await launch("lambda-train-else-0a1b2c3d", {
      ...managed,
      ...old,
      "lambda-train:state": "s3://b",
    });
    const { code, output } = await reap(["--yes"]);
    expect(code, output).toBe(1);
    expect(output).toMatch(new RegExp(`${ageless} .*age is unknown`));
    expect(output).toMatch(new RegExp(`${elsewhere} .*its state is elsewhere.*s3://b`));
    expect(await living()).toEqual(expect.arrayContaining([ageless, elsewhere]));
    expect(await reap(["--yes", "--include-unknown-age", "--any-state"])).toMatchObject({ code: 0 });
    expect(await living()).not.toContain(ageless);
    expect(await living()).not.toContain(elsewhere);
  });

  it("an instance of a machine of equal name and folder is left, whatever its age", async () => {
    const origin = managed["lambda-train:state"];
    const id = readFileSync(join(project.folder, ".local/state/.lambda-train-origin"), "utf8").slice(0, 32);
    expect(origin.endsWith(`?id=${id}`)).toBe(true);
    const twins = [origin.replace(id, "0123456789abcdef0123456789abcdef"), origin.replace(/\?id=.*/, "")];
    for (const [at, state] of twins.entries()) {
      const name = `lambda-train-twin-0a1b2c3${at}`;
      const twin = await launch(name, { ...managed, ...old(), "lambda-train:state": state });
      const { output } = await reap(["--yes", "--min-age", "0"]);
      expect(output).toMatch(new RegExp(`${twin} .*its state is elsewhere`));
      expect(await living()).toContain(twin);
      expect(await reap(["--yes", "--any-state"])).toMatchObject({ code: 0 });
      expect(await living()).not.toContain(twin);
    }
    const left = await launch("lambda-train-left-0a1b2c3d", { ...managed, ...old() });
    expect(await reap(["--yes"])).toMatchObject({ code: 0 });
    expect(await living()).not.toContain(left);
  });

  it("removes nothing where the API or a state cannot be read", async () => {
    const lost = await launch("lambda-train-lost-0a1b2c3d", { ...managed, ...old() });
    await cloud.admin.addApiFault({ match: { method: "GET" }, action: { answer: "blocked" } });
    expect(await reap(["--yes"])).toMatchObject({ code: 4 });
    await cloud.admin.removeAllFaults();
    project.write(".local/state/.pulumi/stacks/lambda-train/other.json", "{");
    const { code, output } = await reap(["--yes"]);
    expect(code, output).toBe(4);
    rmSync(join(project.folder, ".local/state/.pulumi/stacks/lambda-train/other.json"));
    expect(await living()).toContain(lost);
    expect((await reap(["--endpoint", "https://127.0.0.1:9/api/v1"], { LAMBDA_API_KEY: "" })).code).toBe(2);
    expect(await reap(["--yes"])).toMatchObject({ code: 0 });
    expect(await living()).not.toContain(lost);
  });

  it("a lost state comes back from the backups, and the experiment with it", async () => {
    expect((await project.run("adopt")).code).toBe(3);
    await project.pulumi(["stack", "rm", "--force", "--yes", "--preserve-config", "test"]);
    const listed = await reap(["--min-age", "0"]);
    expect(listed.code, listed.output).toBe(1);
    expect(listed.output).toContain(ours);
    const other = await reap(["--min-age", "0", "--yes"], { PULUMI_BACKEND_URL: `file://${project.folder}/tiny` });
    expect(other.output).toContain("its state is elsewhere");
    expect(await living()).toContain(ours);

    const output = await project.succeeds("adopt");
    expect(output).toContain("Run: running");
    expect(JSON.parse((await project.run("status", ["--json"])).output)).toMatchObject({ instance: { id: ours } });
    expect(await project.run("results")).toMatchObject({ code: 0 });
    expect(await verifyResults(results)).toMatchObject({ ok: true });
    expect((await reap(["--min-age", "0"])).output).toContain("No leftovers");

    project.write(".local/state/.pulumi/stacks/lambda-train/test.json", '{"version":3,"chec');
    expect((await project.run("status")).code).not.toBe(0);
    expect(await project.run("adopt")).toMatchObject({ code: 0, output: expect.stringContaining("Run: running") });
    expect((await project.run("status")).code).toBe(0);
  });

  it("watch says that all is within limits; not reaching the instance is no reason to end it", async () => {
    expect(await project.run("watch")).toMatchObject({ code: 0, output: expect.stringContaining("within limits") });
    await cloud.admin.addLinkFault({ match: { instanceId: ours }, trouble: { kind: "refuse" } });
    const { code, output } = await project.run("watch", ["--destroy"]);
    expect(code, output).toBe(4);
    await cloud.admin.removeAllFaults();
    expect(await living()).toContain(ours);
  });

  it("a budget that is spent ends the run on the instance, cleanly, and watch reports it", async () => {
    project.configure({ ...config, budgetDollars: 0.001 });
    await project.succeeds("up");
    expect((await project.run("wait")).code).toBe(1);
    const { run } = JSON.parse((await project.run("status", ["--json"])).output);
    expect(run).toMatchObject({ state: "stopped", stopReason: "budget" });
    // make gives its own 2 where the training it had started ended a moment before it was told to end itself.
    expect([143, 2]).toContain(run.exitCode);
    expect(await project.run("watch")).toMatchObject({ code: 10, output: expect.stringContaining("limit reached: $") });
    expect(await living()).toContain(ours);
  });

  it("watch --destroy brings the results home, evaluated, and terminates", async () => {
    const output = await project.succeeds("watch", ["--destroy"]);
    expect(output).toContain("is terminated");
    cloud = await TestCloud.start(project);
    expect(await living()).not.toContain(ours);
    expect(await verifyResults(results)).toMatchObject({ ok: true });
    expect(readFileSync(join(results, "run", "train.log"), "utf8")).toMatch(
      /stopping \(budget\)[\s\S]*stopped at step/,
    );
    const metrics = JSON.parse(readFileSync(join(results, "metrics", "evaluation.json"), "utf8"));
    expect(metrics.step).toBeGreaterThan(0);
    expect((await project.run("watch")).code).toBe(3);
  });

  it("who wants to know was told of each event once, and nobody's deafness failed a command", async () => {
    const told = inbox.at<Notice>("/h00k");
    expect(told.map(({ event }) => event)).toEqual(["started", "finished", "budget", "limit", "terminated"]);
    for (const notice of told)
      expect(notice).toMatchObject({ stack: "test", experiment: "tiny-v1", region: "us-east-1" });
    expect(told[1]?.text).toContain("training was stopped (budget)");
    expect(told[2]?.text).toContain("80 % of the budget is spent");
    expect(told[4]).toMatchObject({ results: "results/test/tiny-v1", costDollars: expect.any(Number) });
    expect(told[4]?.text).toMatch(/the instance is terminated.*in all; its results are in results\/test\/tiny-v1/);
  });

  it("without any state left, a key of ours brings the results home and ends the instance", async () => {
    rmSync(results, { recursive: true });
    project.configure(config);
    expect(await project.run("up")).toMatchObject({ code: 0 });
    const { instanceId } = await project.outputs();
    rmSync(join(project.folder, ".local/state/.pulumi"), { recursive: true });
    const without = await project.run("adopt");
    expect(without.code, without.output).toBe(1);
    expect(without.output).toContain("recoveryKeys");
    expect(await project.run("adopt", ["--identity", "recovery-key"])).toMatchObject({
      code: 0,
      output: expect.stringMatching(/run: running[\s\S]*keeps running and billing/),
    });
    expect(await living()).toContain(instanceId);
    rmSync(results, { recursive: true });
    await project.succeeds("adopt", ["--identity", "recovery-key", "--end"]);
    expect(await verifyResults(results)).toMatchObject({ ok: true });
    expect(readFileSync(join(results, "run", "train.log"), "utf8")).toContain("stopped at step");
    expect(await living()).not.toContain(instanceId);
    const { sshKeys, rulesets } = await cloud.inventory();
    expect([...sshKeys, ...rulesets].filter((name) => name.startsWith("lambda-train-test-"))).toEqual([]);
  });
});
