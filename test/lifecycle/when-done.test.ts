import { rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { verifyResults } from "../../remote/transfer/download";
import { nothing, TestCloud } from "../support/cloud";
import { type Ended, Project } from "../support/project";
import { configureTiny, startTinyStack, type TinyChanges } from "../support/tiny";

/** Stacks that end with their runs; each test goes on from where the one before ended. */
describe("a stack that ends when done", { timeout: 120_000 }, () => {
  const project = new Project();
  const results = (name: string): string => join(project.folder, "results/test", name);
  const living = async (): Promise<string[]> => (await cloud.inventory()).instances;
  const ending = { whenDone: "down", waitFor: "end" };
  let cloud: TestCloud;

  beforeAll(async () => {
    for (const [name, text] of [
      ["systemctl", "exit 1"],
      ["crontab", `f="${project.folder}/table"; if [ "$1" = -l ]; then cat "$f" 2>/dev/null; exit 0; fi; cat >"$f"`],
    ] as const)
      project.write(`bin/${name}`, `#!/bin/sh\n${text}\n`, 0o755);
    project.env.PATH = `${project.folder}/bin:${project.env.PATH}`;
    project.env.XDG_CONFIG_HOME = join(project.folder, "config");
    cloud = await startTinyStack(project, short(ending, { stack: { protect: true } }));
  }, 120_000);
  afterAll(() => project.dispose());

  const short = (train: object, change: TinyChanges = {}): TinyChanges => ({
    overrides: { steps: 10, seconds_per_step: 0.02 },
    train,
    ...change,
  });

  it("stays while it is protected, and what would end it says so", async () => {
    const although =
      "Nothing ends it when done, although train.whenDone is down: lambda-train:protect keeps the instances";
    expect(await project.succeeds("up")).toContain(although);
    expect(await project.run("watch")).toMatchObject({
      code: 11,
      output: expect.stringMatching(
        /All runs of test have ended and train\.whenDone is down, but instance-vm is protected, so test stays and keeps billing: set `lambda-train:protect` to false/,
      ),
    });
    expect(await project.run("up", ["--down"])).toMatchObject({
      code: 2,
      output: expect.stringContaining("Nothing was started: `up --down` ends the instances of test"),
    });
    expect(await living()).toHaveLength(1);
  });

  it("stays until a watch is installed, and up says so", async () => {
    configureTiny(project, short(ending));
    expect((await project.pulumi(["preview"])).output).toContain("no `watch` is installed here");
    await project.succeeds("watch", ["--install", "--every", "3"]);
    expect(await project.succeeds("up")).toContain("Ends when done: by `watch` (installed, looks every 3 min)");
    expect((await project.run("doctor")).output).toMatch(
      /watch of test: installed, by cron every 3 min, last look .*\(exit code 11\)/,
    );
  });

  it("is named at the end of commands that look at it no further, but not in JSON", async () => {
    await project.succeeds("status");
    const file = ".local/endings-test.json";
    const { endings } = JSON.parse(project.read(file)) as { endings: [{ at: number }] };
    project.write(file, JSON.stringify({ endings: [{ ...endings[0], at: endings[0].at - 130 * 60_000 }] }));
    const [id] = await living();
    expect(await project.succeeds("exec", ["--", "echo", "done"])).toMatch(
      new RegExp(
        `^done\nInstance ${id} is still billed, 2 h 1\\d min after tiny-v1 finished: \\$\\d+\\.\\d\\d so far\\. .npm run down. ends it\\.\n$`,
      ),
    );
    expect(await project.succeeds("status", ["--json"])).not.toContain("still billed");
  });

  it("keeps the instance while its results can't come home, and ends it once they have", async () => {
    const line = project.read("table").trim();
    const command = line.replace("*/3 * * * * ", "");
    expect(command).toMatch(/^\/bin\/sh .*\.sh$/);
    // As cron runs it: with hardly any variable.
    const bare = ["-i", `HOME=${process.env.HOME}`, "PATH=/usr/bin:/bin", "/bin/sh", "-c", command];
    const look = async (): Promise<number> => (await project.start("env", bare).ended).code;
    rmSync(join(project.folder, "results"), { recursive: true, force: true });
    project.write("results", "notes\n");
    expect(await look()).toBe(1);
    expect(await living()).toHaveLength(1);
    rmSync(join(project.folder, "results"));
    // Somebody ends it by hand, and the next one gets no further than setup. The watch had begun to end the one before.
    const update = (name: string): Promise<Ended> => project.pulumi([name, "--yes", "--skip-preview"]);
    expect(await update("destroy")).toMatchObject({ code: 0 });
    configureTiny(project, short(ending, { environment: { setup: "exit 7" } }));
    expect((await update("up")).output).toContain("7");
    expect(await look()).toBe(0);
    expect(await living()).toHaveLength(1);
    configureTiny(project, short(ending));
    await project.succeeds("up");
    expect(await look()).toBe(0);
    expect(await verifyResults(results("tiny-v1"))).toMatchObject({ ok: true });
    cloud = await TestCloud.start(project);
    expect(await cloud.inventory()).toEqual(nothing);
    expect((await project.run("doctor")).output).toMatch(
      /watch of test: installed, .*last look .* \(exit code 0\), next/,
    );
    await project.succeeds("watch", ["--uninstall"]);
    expect(project.read("table")).toBe("");
  });

  it("is left alone by Ctrl-C in up --down, and by watch after a stop by hand", async () => {
    configureTiny(project, { experiment: "long", overrides: { steps: 100_000 }, train: { whenDone: "down" } });
    const { child, ended } = project.start(process.execPath, ["dist/cli/up.js", "--down"]);
    await new Promise<void>((settle) => {
      void ended.then(() => settle());
      let text = "";
      child.stdout?.on("data", (chunk: Buffer) => {
        text += chunk.toString();
        if (/Resources:[\s\S]*^step \d+ loss/m.test(text)) settle();
      });
    });
    child.kill("SIGINT");
    const { code, output } = await ended;
    expect(code, output).toBe(130);
    expect(output).toContain("Ends when done: `up --down` waits for the runs");
    expect(output).toMatch(
      /Everything of test keeps running and billing\. `npm run up -- --stack test --down` waits again/,
    );
    expect(await project.run("watch")).toMatchObject({ code: 0 });
    await project.succeeds("stop");
    expect(await project.run("watch")).toMatchObject({ code: 11 });
    expect(await living()).toHaveLength(1);
  });

  it("ends with up --down, its results at home; a failed run's too, with the exit code of a failure", async () => {
    configureTiny(project, short({}, { experiment: "fails", overrides: { steps: 30, fail_at: 20 } }));
    const failed = await project.run("up", ["--down"]);
    expect(failed.code, failed.output).toBe(1);
    expect(failed.output).toMatch(/fails: failed \(exit status \d+\)[\s\S]*is terminated/);
    expect(await verifyResults(results("fails"))).toMatchObject({ ok: true });
    expect(await verifyResults(results("long"))).toMatchObject({ ok: true });
    // A change that waits for the end of a run is applied before anything ends.
    configureTiny(project, short({}, { experiment: "goes-on", overrides: { steps: 120 } }));
    await project.succeeds("up");
    configureTiny(project, short({}, { experiment: "ends" }));
    const output = await project.succeeds("up", ["--down"]);
    expect(output).toMatch(/goes-on: finished[\s\S]*are applied now[\s\S]*ends: finished[\s\S]*is terminated/);
    for (const name of ["goes-on", "ends"]) expect(await verifyResults(results(name))).toMatchObject({ ok: true });
    cloud = await TestCloud.start(project);
    expect(await cloud.inventory()).toEqual(nothing);
  });

  it("ends with the last trial of its sweep, by one look of watch", async () => {
    const sweep = { grid: { steps: [5, 10] }, metric: "error" };
    configureTiny(project, {
      experiment: "swept",
      sweep,
      train: { whenDone: "down" },
      overrides: { seconds_per_step: 0.02 },
    });
    await project.succeeds("up");
    await project.succeeds("wait");
    expect(await project.succeeds("watch")).toMatch(/All runs of test have ended, and train\.whenDone is down/);
    for (const name of ["swept-t0", "swept-t1"]) expect(await verifyResults(results(name))).toMatchObject({ ok: true });
    cloud = await TestCloud.start(project);
    expect(await cloud.inventory()).toEqual(nothing);
  });
});
