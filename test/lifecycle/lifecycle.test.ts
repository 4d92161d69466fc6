import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { verifyResults } from "../../remote/transfer/download";
import { nothing, TestCloud } from "../support/cloud";
import { Project } from "../support/project";
import { configureTiny, useTinyWorkload } from "../support/tiny";

/** Waits until something is so. */
async function until(so: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 30_000;
  while (!(await so())) {
    if (Date.now() > deadline) throw new Error("It never came to that.");
    await sleep(250);
  }
}

/** The whole life of one stack through the real CLI; each test goes on from where the one before ended. */
describe("a stack's life", { timeout: 180_000 }, () => {
  const project = new Project();
  let cloud: TestCloud;
  let first: string;
  const everythingPrinted: string[] = [];

  const must = async (running: Promise<{ code: number; output: string }>): Promise<string> => {
    const { code, output } = await running;
    everythingPrinted.push(output);
    expect(output).not.toMatch(/warning/i);
    expect(code, output).toBe(0);
    return output;
  };
  const onInstance = async (command: string): Promise<string> => must(project.run("ssh", [command]));
  const resultsOf = (experiment: string): string => join(project.folder, "results", "test", experiment);

  beforeAll(async () => {
    useTinyWorkload(project, { overrides: { steps: 100_000 } });
    await project.init();
  });
  afterAll(() => project.dispose());

  it("is previewed with the cloud down and without a key", async () => {
    const output = await must(project.pulumi(["preview"]));
    expect(output).toContain("to create");
    expect(output).toMatch(/instance type +capacity now +per hour [^\n]*\n +cpu_4x_general +unknown +unknown/);
    expect(output).toContain("Prices and capacity are unknown: ");
    expect(existsSync(join(project.folder, ".local", "cloud"))).toBe(false);
  });

  it("reports every wrong field at once, before anything is asked of the cloud", async () => {
    project.configure({ experiment: "configs/tiny.yaml", regions: ["Mars"], budgetDollars: -1, instanceTyps: ["a"] });
    const output = await project.fails("up");
    project.configure({ experiment: "configs/tiny.yaml" });
    for (const field of ["regions.0", "budgetDollars", "instanceTyps"])
      expect(output).toContain(`lambda-train:${field}`);
    expect(output).toContain("Did you mean instanceTypes?");
    expect(output).not.toMatch(/\n\s+at .*\.js/);
  });

  it("up rents, sets up, checks and starts, and returns at the first training step", async () => {
    cloud = await TestCloud.start(project);
    const output = await must(project.run("up"));
    expect(output).toContain("first step: step 1 loss");
    expect(output).toMatch(/cpu_4x_general +us-east-1 +\$0\.20 +not set +open +within/);
    const outputs = await project.outputs();
    expect(outputs).toMatchObject({
      experiment: "tiny-v1",
      instanceType: "cpu_4x_general",
      region: "us-east-1",
      pricePerHour: 0.2,
    });
    first = outputs.instanceId as string;
    expect(await cloud.inventory()).toMatchObject({ instances: [first], fileSystems: [] });
    // One for what comes one after another, one for an upload beside another, two for commands and the first step.
    const logins = await onInstance("grep -c 'Accepted publickey' /var/log/auth.log");
    expect(Number(logins)).toBeLessThanOrEqual(6);
    expect((await cloud.admin.instance(first)).tags).toContainEqual({ key: "experiment", value: "tiny-v1" });
    expect(await onInstance("ls tiny/data/train tiny/data/test; tmux list-sessions -F '#{session_name}'")).toBe(
      "tiny/data/test:\nünï.jsonl\n\ntiny/data/train:\na b.jsonl\ntiny-v1\n",
    );
  });

  it("up again changes nothing and starts nothing", async () => {
    const before = await onInstance("pgrep -f [t]rain.py; cat setups");
    const output = await must(project.pulumi(["up", "--yes"]));
    expect(output).toMatch(/Resources:\n\s+\d+ unchanged/);
    expect(await onInstance("pgrep -f [t]rain.py; cat setups")).toBe(before);
  });

  it("refresh finds everything as it is", async () => {
    await must(project.pulumi(["refresh", "--yes", "--expect-no-changes"]));
    expect(await must(project.pulumi(["preview", "--expect-no-changes"]))).toMatch(/\d+ unchanged/);
  });

  it("changed code waits while the run goes on; where it is to, it goes up in place and setup is not run again", async () => {
    project.write("tiny/new module.py", "x = 1\n");
    const pid = await onInstance("pgrep -f [t]rain.py");
    expect(await must(project.run("up"))).toContain("tiny-v1 is running, so these changes wait: the code.");
    expect(await onInstance("pgrep -f [t]rain.py; ls tiny | grep -c new || true")).toBe(`${pid}0\n`);
    const output = await must(project.run("up", ["--restart"]));
    expect(output).toContain("sent 1 files");
    expect(output).not.toMatch(/replaced/);
    expect(await onInstance("wc -l < setups; cat 'tiny/new module.py'")).toBe("1\nx = 1\n");
  });

  it("a changed firewall is updated in place", async () => {
    project.configure({ experiment: "configs/tiny.yaml", sshSources: ["127.0.0.0/8"] });
    const output = await must(project.run("up"));
    expect(output).toMatch(/~ 1 updated/);
    expect((await cloud.admin.state()).rulesets[0]?.rules[0]?.source_network).toBe("127.0.0.0/8");
    configureTiny(project, { overrides: { steps: 100_000 } });
    await must(project.run("up"));
  });

  it("operator commands tell what goes on", async () => {
    const status = JSON.parse(await must(project.run("status", ["--json"])));
    expect(status).toMatchObject({
      stack: "test",
      instance: { id: first, status: "active" },
      run: { state: "running", attempt: 2 },
    });
    expect(await must(project.run("status"))).toContain("running");
    expect(await must(project.run("logs", ["--no-follow"]))).toMatch(/step 1 loss [\s\S]*step 2 loss/);
    expect((await must(project.run("logs", ["--no-follow", "--lines", "3"]))).trim().split("\n")).toHaveLength(3);
    expect((await project.run("wait", ["--timeout", "1", "--nonsense"])).code).toBe(2);
    const files = readdirSync(join(__dirname, "../../cli")).filter((name) => name.endsWith(".ts"));
    const commands = files.map((file) => basename(file, ".ts"));
    expect(commands).toContain("status");
    // Those of the project's own developers take no options.
    for (const name of commands.filter((each) => !["bench", "reference", "screenshots"].includes(each))) {
      expect(await must(project.run(name, ["--help"])), name).toContain("Usage");
    }
  });

  it("attach shows the run in this terminal; leaving it leaves the run alone", async () => {
    expect((await project.run("attach")).output).toContain("attach needs a terminal");
    // A terminal of its own, typed into and read from outside.
    const terminal = join(project.folder, "terminal.sock");
    const tmux = (...args: string[]): Promise<string> => must(project.start("tmux", ["-S", terminal, ...args]).ended);
    await tmux(
      "new-session",
      "-d",
      "-s",
      "t",
      "-x",
      "100",
      "-y",
      "30",
      `${process.execPath} dist/cli/attach.js; echo left; cat`,
    );
    try {
      await until(async () => /step \d+ loss/.test(await tmux("capture-pane", "-p", "-t", "t")));
      await tmux("send-keys", "-t", "t", "C-b", "d");
      await until(async () => /^left$/m.test(await tmux("capture-pane", "-p", "-t", "t")));
    } finally {
      await tmux("kill-server");
    }
    expect(JSON.parse(await must(project.run("status", ["--json"]))).run.state).toBe("running");
  });

  it("the workload's dashboard is reached through the tunnel, and ends with it", async () => {
    const { child, ended } = project.start(process.execPath, ["dist/cli/dashboard.js", "--workload"]);
    const url = await new Promise<string>((found, missing) => {
      let text = "";
      child.stdout?.on("data", (chunk: Buffer) => {
        text += chunk.toString();
        const match = /http:\/\/127\.0\.0\.1:\d+/.exec(text);
        if (match) found(match[0]);
      });
      child.on("close", () => missing(new Error(text)));
    });
    expect(await (await fetch(url)).text()).toContain("tiny-v1");
    child.kill("SIGINT");
    expect((await ended).code).toBe(0);
    await expect(fetch(url)).rejects.toThrow();
    expect(await onInstance("pgrep -fc [h]ttp.server || true")).toBe("0\n");
  });

  it("results come home while training goes on", async () => {
    expect(await must(project.run("results"))).toContain("verified in results/test/tiny-v1 (run: running)");
    expect(await verifyResults(resultsOf("tiny-v1"))).toMatchObject({ ok: true });
  });

  it("another experiment brings the old results home, then starts on the same instance", async () => {
    configureTiny(project, { experiment: "tiny-v2", overrides: { steps: 20, seconds_per_step: 0.05 } });
    await must(project.run("up", ["--restart"]));
    expect((await project.outputs()).instanceId).toBe(first);
    expect(existsSync(join(resultsOf("tiny-v1"), "metrics", "evaluation.json"))).toBe(true);
    expect(readFileSync(join(resultsOf("tiny-v1"), "run", "train.log"), "utf8")).toContain("stopped at step");
  });

  it("wait and logs end with the run; a refresh brings its metrics into the outputs", async () => {
    expect(await must(project.run("wait"))).toContain("tiny-v2: finished (exit status 0)");
    const log = await must(project.run("logs"));
    expect(log.match(/^step \d+ loss/gm)).toHaveLength(20);
    await must(project.pulumi(["refresh", "--yes"]));
    await must(project.run("up"));
    const outputs = await project.outputs();
    expect(outputs).toMatchObject({ runStatus: "finished", metrics: { "metrics/evaluation.json": { step: 20 } } });
  });

  it("another instance type brings the results home, then replaces the instance", async () => {
    project.configure({ experiment: "configs/tiny.yaml", instanceTypes: ["gpu_1x_a10"] });
    await must(project.run("up"));
    const { instanceId, instanceType } = await project.outputs();
    expect(instanceType).toBe("gpu_1x_a10");
    expect(instanceId).not.toBe(first);
    expect((await cloud.inventory()).instances).toEqual([instanceId]);
    expect(await verifyResults(resultsOf("tiny-v2"))).toMatchObject({ ok: true });
  });

  it("the state, the outputs and everything printed hold no secret in clear", async () => {
    const secrets = await project.pulumi(["stack", "export", "--show-secrets"]);
    const privateKeys = [
      ...secrets.output.matchAll(/BEGIN OPENSSH PRIVATE KEY-----\\+n[A-Za-z0-9+/=]+\\+n([A-Za-z0-9+/]{40})/g),
    ].map((match) => match[1] ?? "");
    expect(new Set(privateKeys).size).toBeGreaterThanOrEqual(2);
    const files = readdirSync(join(project.folder, ".local", "state"), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => readFileSync(join(entry.parentPath, entry.name), "utf8"));
    const outputs = JSON.stringify(await project.outputs(true));
    expect(files.length).toBeGreaterThan(5);
    for (const text of [...files, ...everythingPrinted, outputs]) {
      for (const secret of [...privateKeys, cloud.apiKey]) expect(text.includes(secret)).toBe(false);
    }
    expect(await onInstance(`grep -rlF '${cloud.apiKey}' ~ /etc /tmp 2>/dev/null | wc -l`)).toBe("0\n");
  });

  it("down ends everything: results verified, account empty, nothing billed any more", async () => {
    const output = await must(project.run("down", ["--keep-cloud"]));
    expect(output).toContain("is terminated");
    expect(await cloud.inventory()).toEqual(nothing);
    expect((await project.resources()).length).toBe(0);
    expect(output).toMatch(/bill: \$\d+\.\d\d before tax: gpu_1x_a10 in us-east-1/);
    const { entries, totalCents } = await cloud.admin.ledger();
    const costs = JSON.parse(await must(project.run("costs", ["--json", "--all", "--no-running"])));
    const minutes = (list: { instanceId: string; minutes: number }[]) =>
      list.map((each) => [each.instanceId, each.minutes]);
    expect(minutes(costs.bills)).toEqual(minutes(entries));
    expect(costs.total).toEqual({ dollars: 0, emulatedDollars: Math.round(totalCents) / 100, instances: 2 });
    expect(costs.bills[0].runs).toMatchObject([
      { experiment: "tiny-v1", outcome: "stopped", reason: "restart", results: "results/test/tiny-v1" },
      { experiment: "tiny-v2", outcome: "finished", exitCode: 0, metrics: { step: 20 } },
    ]);
    expect(await must(project.run("costs"))).toMatch(/test \(emulated\) +2 +\d/);
    const compared = await must(project.run("experiments", ["tiny-v1", "tiny-v2", "--svg", "loss.svg"]));
    expect(compared).toMatch(/test +tiny-v2 +\S+.* step 20 /);
    expect(project.read("loss.svg")).toContain("test/tiny-v2");
    const found = await verifyResults(resultsOf("tiny-v2"));
    expect(found).toMatchObject({ ok: true });
    expect(existsSync(join(resultsOf("tiny-v2"), "checkpoints", "best_model.pt"))).toBe(true);
    expect((await project.run("status")).code).toBe(3);
  });

  it("down again has nothing to do, and stops the cloud", async () => {
    await must(project.run("down"));
    expect((await project.run("cloud", ["status"])).output).toContain("not running");
  });
});
