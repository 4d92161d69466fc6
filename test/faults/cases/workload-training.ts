import { expect } from "vitest";
import type { FaultCase } from "../case";
import { hasProcess, healedWith, runOf } from "../moments";
import type { World } from "../world";

/** Gives the workload another training program than the one that works. */
const trains =
  (program: string) =>
  async ({ project }: World): Promise<void> =>
    project.write("tiny/train.py", program);

/** A training program's beginning: what it needs, its output folder with a checkpoint, and its first step. */
const firstStep = `import json, os, pathlib, signal, subprocess, sys, time
out = pathlib.Path("outputs") / sys.argv[2]
(out / "checkpoints").mkdir(parents=True, exist_ok=True)
(out / "checkpoints" / "best_model.pt").write_text(json.dumps({"weight": 3.0, "step": 1}))
print("step 1 loss 0.5", flush=True)
`;

const toTheEnd = { overrides: { steps: 5, seconds_per_step: 0.02 }, train: { waitFor: "end" } };

/** Faults of training itself. */
export const trainingCases: readonly FaultCase[] = [
  {
    kind: "workload",
    stage: "start",
    fault: "training exits with 1 before its first step",
    inject: trains('import sys\nprint("loading data")\nsys.exit("no module named magic")\n'),
    outcome: "told",
    message: /failed with status 2 before its first step[\s\S]*loading data\s+no module named magic/,
    after: async (world) => expect(await runOf(world)).toMatchObject({ state: "failed", exitCode: 2, attempt: 1 }),
  },
  {
    kind: "workload",
    stage: "start",
    fault: "the training command is not there",
    tiny: { train: { command: "no-such-trainer {config}" } },
    inject: async () => {},
    outcome: "told",
    message: /status 127 before its first step[\s\S]*no-such-trainer: command not found/,
    heal: healedWith({ train: {} }),
  },
  {
    kind: "workload",
    stage: "start",
    fault: "training hangs before its first step",
    tiny: { train: { firstStepTimeoutMinutes: 0.1 } },
    inject: trains('import time\nprint("loading", flush=True)\ntime.sleep(1e6)\n'),
    outcome: "told",
    message: /logged no first step within 6 s. It keeps running. Check train\.firstStepPattern[\s\S]*loading/,
    after: async (world) => expect(await runOf(world)).toMatchObject({ state: "starting", attempt: 1 }),
    heal: async (world) => {
      await healedWith({ train: {} })(world);
      await world.onInstance("pkill -f train.py");
    },
  },
  {
    kind: "workload",
    stage: "training",
    fault: "training exits with 1",
    tiny: toTheEnd,
    inject: trains(`${firstStep}sys.exit("loss is not a number")\n`),
    outcome: "told",
    message: /Training of tiny-v1 failed with status 2[\s\S]*loss is not a number/,
  },
  {
    kind: "workload",
    stage: "training",
    fault: "training is killed for its memory",
    tiny: toTheEnd,
    inject: trains(`${firstStep}time.sleep(1)\nos.kill(os.getpid(), signal.SIGKILL)\n`),
    outcome: "told",
    message: /failed with status[\s\S]*killed \(SIGKILL\)[\s\S]*out of memory/,
  },
  {
    kind: "workload",
    stage: "training",
    fault: "training hangs after its first step",
    tiny: { ...toTheEnd, train: { waitFor: "end", idleMinutes: 0.1 } },
    inject: trains(`${firstStep}time.sleep(1e6)\n`),
    outcome: "ridden out",
    message: /tiny-v1 was stopped: it was idle for train\.idleMinutes/,
    after: async (world) =>
      expect(await runOf(world)).toMatchObject({ state: "stopped", stopReason: "idle", lastLine: expect.any(String) }),
  },
  {
    kind: "workload",
    stage: "training",
    fault: "losses and metrics are NaN",
    tiny: toTheEnd,
    inject: async (world) => {
      await trains(firstStep.replace("0.5", "nan"))(world);
      world.project.write(
        "tiny/evaluate.py",
        'import json, pathlib, sys\nout = pathlib.Path(sys.argv[1]).parent.parent / "evaluation.json"\n' +
          'out.write_text(json.dumps({"error": float("nan"), "best": float("-inf"), "step": 1}))\n',
      );
    },
    outcome: "ridden out",
    message: /step 1 loss nan/,
    after: async ({ project }) => {
      const { runStatus, metrics } = await project.outputs();
      expect({ runStatus, metrics }).toMatchObject({
        runStatus: "finished",
        metrics: { "evaluation.json": { step: 1 } },
      });
    },
  },
  {
    kind: "workload",
    stage: "training",
    fault: "training fills the disk",
    tiny: toTheEnd,
    inject: async (world) => {
      await world.cloud.admin.addInstanceFault({
        match: {},
        times: 1,
        trouble: { kind: "small-disk", bytes: 8_000_000 },
      });
      await trains(`${firstStep}(out / "big.bin").open("wb", 0).write(b"x" * 30_000_000)
with (out / "big2.bin").open("wb", 0) as more:
    while True:
        more.write(b"x")
`)(world);
    },
    outcome: "told",
    message: /Training of tiny-v1 failed[\s\S]*No space left on device/,
    // A full disk keeps nobody from its results.
    after: async ({ project }) => {
      const output = await project.succeeds("results");
      expect(output).toMatch(/verified/);
    },
    heal: async (world) => {
      await world.heal();
      await world.onInstance("rm tiny/outputs/tiny-v1/big*.bin");
    },
  },
  {
    kind: "workload",
    stage: "training",
    fault: "the output folder has another name",
    tiny: toTheEnd,
    inject: trains(firstStep.replace("sys.argv[2]", '"named-by-itself"')),
    outcome: "ridden out",
    after: async ({ project }) => {
      expect((await project.run("results")).code).toBe(0);
      expect(project.read("results/test/tiny-v1/named-by-itself/checkpoints/best_model.pt")).toContain("weight");
    },
  },
  {
    kind: "workload",
    stage: "training",
    fault: "no output folder is made",
    tiny: toTheEnd,
    inject: trains('print("step 1 loss 0.5", flush=True)\n'),
    outcome: "ridden out",
    message: /evaluation[\s\S]*No output folder of tiny-v1 was found under outputs/,
    after: async (world) => {
      expect((await world.project.run("results")).code).toBe(0);
      expect(world.project.read("results/test/tiny-v1/run/train.log")).toContain("step 1 loss 0.5");
      const { code, output } = await world.down();
      expect(code, output).not.toBe(0);
      expect(output).toMatch(
        /left nothing but its log[\s\S]*keeps running and billing[\s\S]*npm run down -- --lose-results/,
      );
    },
    heal: async (world) => {
      await world.heal();
      await world.fine(world.down("--lose-results"));
    },
  },
  {
    kind: "workload",
    stage: "training",
    fault: "training leaves processes behind",
    tiny: toTheEnd,
    inject: trains(
      `${firstStep}subprocess.Popen(["sleep", "7654"], start_new_session=True)\nsubprocess.Popen(["sleep", "7654"])\n`,
    ),
    outcome: "ridden out",
    after: async (world) => {
      expect(await hasProcess(world, "sleep 7654")).toBe(false);
      expect(await runOf(world)).toMatchObject({ state: "finished" });
    },
  },
  {
    kind: "workload",
    stage: "training",
    fault: "its log has endless lines and any bytes",
    tiny: toTheEnd,
    inject: trains(
      `${firstStep}sys.stdout.buffer.write(bytes(range(256)) * 40 + b"z" * 3_000_000 + b"\\r" + b"\\x1b[2J end\\n")\n`,
    ),
    outcome: "ridden out",
    after: async (world) => {
      const { state, lastLine } = await runOf(world);
      expect(state).toBe("finished");
      expect(String(lastLine).length).toBeLessThan(300);
      const raw = await world.project.run("logs", ["--no-follow", "--raw"]);
      expect(raw.code).toBe(0);
      expect(raw.output.length).toBeGreaterThan(3_000_000);
      const shown = await world.project.run("logs", ["--no-follow"]);
      expect(shown.code).toBe(0);
      expect(shown.output).not.toContain("\x1b[2J");
    },
  },
  {
    kind: "workload",
    stage: "terminate",
    fault: "training does not listen to SIGTERM",
    tiny: { train: { graceSeconds: 2 } },
    before: async (world) => {
      await trains(`${firstStep}signal.signal(signal.SIGTERM, signal.SIG_IGN)\nwhile True:\n    time.sleep(0.1)\n`)(
        world,
      );
      const { code, output } = await world.up();
      expect(code, output).toBe(0);
    },
    inject: async () => {},
    act: (world) => world.down(),
    outcome: "ridden out",
    message: /stopping the run, 2 s for a checkpoint[\s\S]*verified in results/,
    after: async (world) => {
      expect(await world.living()).toEqual([]);
      expect(world.project.read("results/test/tiny-v1/run/train.log")).toMatch(/TERM, then KILL after 2 s/);
      expect(world.project.read("results/test/tiny-v1/checkpoints/best_model.pt")).toContain("weight");
    },
  },
];
