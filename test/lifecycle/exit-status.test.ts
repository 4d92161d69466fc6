import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { nothing, type TestCloud } from "../support/cloud";
import { Project } from "../support/project";
import { configureTiny, startTinyStack, type TinyChanges } from "../support/tiny";

/** What a run ended with is what its training ended with, through the real CLI. All tests train on one instance, each its own experiment. */
describe("the end of a run", { timeout: 240_000 }, () => {
  const project = new Project();
  const train = "python3 train.py {config} {experiment}";
  let cloud: TestCloud;

  beforeAll(async () => {
    cloud = await startTinyStack(project);
  });
  afterAll(() => project.dispose());

  const configure = (experiment: string, changes: TinyChanges): void =>
    configureTiny(project, { ...changes, experiment, overrides: { seconds_per_step: 0.2, ...changes.overrides } });
  const onInstance = async (command: string): Promise<string> => (await project.run("ssh", [command])).output;
  const run = async (): Promise<Record<string, unknown>> =>
    (JSON.parse((await project.run("status", ["--json"])).output) as { run: Record<string, unknown> }).run;

  it("is a failure where training crashes into a pipe", async () => {
    const command = `mkdir -p outputs/{experiment}; ${train} 2>&1 | tee outputs/{experiment}/log.txt`;
    configure("piped", { train: { command }, overrides: { fail_at: 5, steps: 1000 } });
    await project.succeeds("up");
    const { code, output } = await project.run("wait", ["--quiet"]);
    expect(output).toContain("piped: failed (exit status 1)");
    expect(code).toBe(1);
    expect(await run()).toMatchObject({ state: "failed", evaluation: { state: "pending" } });
  });

  it.each([
    ["nohup", `nohup ${train} > nohup.out 2>&1 &`],
    ["tmux", `tmux new-session -d -s mytrain "${train}"`],
  ])("is a failure where training detaches itself with %s, and nothing of it goes on", async (how, command) => {
    configure(`by-${how}`, { train: { command }, overrides: { steps: 100_000 } });
    const output = await project.fails("up");
    expect(output).toMatch(/detached itself: .*python3 train\.py .*The instance ended it.*in the foreground/s);
    expect(await run()).toMatchObject({
      state: "failed",
      exitCode: 0,
      detached: expect.stringContaining("python3 train.py"),
    });
    expect(await onInstance("pgrep -fc '[t]rain.py' || true")).toMatch(/^0/);
    expect((await project.run("status")).output).toContain("run training in the foreground");
    expect((await project.run("wait", ["--quiet"])).output).toContain("detached itself");
  });

  it("is known, and evaluated, although the supervisor was killed meanwhile", async () => {
    configure("watched", { train: { command: train }, overrides: { steps: 60 } });
    await project.succeeds("up");
    const supervisor = `grep -o '"supervisor": "[0-9]*' .lambda-train/runs/watched/state.json | tr -dc 0-9`;
    const killed = await onInstance(supervisor);
    await onInstance(`kill -9 ${killed}`);
    expect(await run()).toMatchObject({ state: "running", attempt: 1 });
    expect(await onInstance(supervisor)).not.toBe(killed);
    expect(await project.succeeds("wait", ["--quiet"])).toContain("watched: finished (exit status 0)");
    expect(await run()).toMatchObject({ attempt: 1, evaluation: { state: "done" } });
  });

  it("is in doubt where make hides a crash in a pipe, and every command says so", async () => {
    project.write("tiny/Makefile.pipe", "train:\n\tpython3 train.py $(CONFIG) $(EXPERIMENT) 2>&1 | cat\n");
    const command = "make -f Makefile.pipe train CONFIG={config} EXPERIMENT={experiment}";
    project.write(
      "tiny/train.py",
      project.read("tiny/train.py").replace('sys.exit("out of', 'raise MemoryError("out of'),
    );
    configure("doubted", { train: { command, waitFor: "end" }, overrides: { fail_at: 5, steps: 1000 } });
    const doubt = "its log ends with an error: MemoryError: out of memory, so to speak";
    expect(await project.succeeds("up")).toContain(`WARNING: training of doubted ended with status 0, but ${doubt}`);
    const { code, output } = await project.run("wait", ["--quiet"]);
    expect(output).toContain(doubt);
    expect(code).toBe(1);
    expect(await run()).toMatchObject({ state: "finished", doubt });
    expect(await project.succeeds("status")).toContain(`may have failed: ${doubt}`);
  });

  it("is followed by another attempt that resumes as train.resume says", async () => {
    const resume = `echo "from {checkpoint} with {config}"; ${train}`;
    configure("resumed", {
      train: { command: train, resume, checkpoint: "checkpoints/last*" },
      overrides: { fail_at: 7, steps: 8 },
    });
    await project.succeeds("up");
    await project.run("wait", ["--quiet"]);
    expect(await run()).toMatchObject({ resumesFrom: expect.stringMatching(/checkpoints\/last\.json$/) });
    expect(await onInstance("grep -c resumed started")).toBe("1\n");
    await onInstance("sed -i s/fail_at:.*/fail_at:\\ 0/ tiny/.lambda-train/resumed.yaml");
    await project.run("up", ["--refresh"]);
    await project.run("wait", ["--quiet"]);
    const log = await project.succeeds("logs", ["--no-follow"]);
    expect(log).toMatch(/attempt 2, started \S+, resumes from \S+\/checkpoints\/last\.json: /);
    expect(log).toMatch(/^from outputs\/resumed\/checkpoints\/last\.json with \.lambda-train\/resumed\.yaml$/m);
  });

  it("leaves nothing behind", async () => {
    await project.succeeds("down", ["--keep-cloud"]);
    expect(await cloud.inventory()).toEqual(nothing);
  });
});
