import { expect } from "vitest";
import type { FaultCase } from "../case";
import { hasProcess, healedWith, runOf } from "../moments";
import type { World } from "../world";

/** Gives the workload another setup script; each run of it leaves a line in `~/setups`. */
const setsUp =
  (script: string) =>
  async ({ project }: World): Promise<void> =>
    project.write(
      "tiny/scripts/lambda_setup.sh",
      `#!/bin/bash\nset -euo pipefail\ndate +%s%N >> ~/setups\n${script}\n`,
      0o755,
    );

/** Setup has begun this often. */
const setups = async (world: World): Promise<number> => Number(await world.onInstance("wc -l < setups"));

/** An instance is rented and its state knows it, but nothing has been started on it. */
async function onlyRented(world: World): Promise<void> {
  expect(await world.living()).toHaveLength(1);
  expect(await runOf(world)).toEqual({ state: "none" });
}

/** The same after the environment is ready: from then on results are looked after, and a run is asked for. */
async function neverStarted(world: World): Promise<void> {
  expect(await world.living()).toHaveLength(1);
  expect(await runOf(world)).toMatchObject({ state: "absent", evaluation: { state: "none" } });
}

/** Faults of the steps before training. */
export const setupCases: readonly FaultCase[] = [
  {
    kind: "workload",
    stage: "setup",
    fault: "setup fails",
    inject: setsUp('echo "conda: no such channel" >&2\nexit 7'),
    outcome: "told",
    message: /conda: no such channel[\s\S]*setup: failed with status 7[\s\S]*steps\/setup\/log/,
    after: onlyRented,
    inDefault: true,
  },
  {
    kind: "workload",
    stage: "setup",
    fault: "setup asks a question",
    inject: setsUp('echo "Accept the licence?"\nread -r answer\n[ "$answer" = yes ]'),
    outcome: "told",
    message: /Accept the licence\?[\s\S]*environment\.answer[\s\S]*setup: failed with status 1/,
    after: onlyRented,
    heal: async (world) => world.configure({ environment: { answer: "yes" } }),
  },
  {
    kind: "workload",
    stage: "setup",
    fault: "setup hangs",
    tiny: { environment: { timeoutMinutes: 0.05 } },
    inject: setsUp('echo "resolving packages"\nsetsid sleep 7654 &\nsleep 7654'),
    outcome: "told",
    message: /resolving packages[\s\S]*setup: stopped at its time limit of 3 s/,
    after: async (world) => {
      await onlyRented(world);
      expect(await hasProcess(world, "sleep 7654")).toBe(false);
    },
    heal: healedWith({ environment: {} }),
  },
  {
    kind: "workload",
    stage: "setup",
    fault: "setup is killed half-way",
    inject: setsUp(
      '[ "$(wc -l < ~/setups)" = 1 ] || exit 0\nkill -9 "$(cut -d " " -f 1 ~/.lambda-train/steps/setup/process)"\nsleep 1',
    ),
    outcome: "told",
    message: /setup: its process is gone without an exit status[\s\S]*Run it again/,
    after: async (world) => {
      const instance = await world.instanceId();
      // Nothing is to be mended: the next `up` begins setup anew.
      const { code, output } = await world.up();
      expect(code, output).toBe(0);
      expect(await world.instanceId()).toBe(instance);
      expect(await setups(world)).toBe(2);
    },
  },
  {
    kind: "workload",
    stage: "gate",
    fault: "a module that training needs is not installed",
    tiny: { gate: { modules: ["yaml", "no_such_module"] } },
    inject: async () => {},
    outcome: "told",
    message: /FAIL module no_such_module: .*install it in the setup script/,
    after: neverStarted,
    heal: healedWith({ gate: {} }),
  },
  {
    kind: "workload",
    stage: "gate",
    fault: "the gate's command hangs",
    tiny: { gate: { command: "echo looking; sleep 7654", timeoutMinutes: 0.1 } },
    inject: async () => {},
    outcome: "told",
    message: /FAIL command: .* did not end within 6 s \(gate\.timeoutMinutes\): looking/,
    after: neverStarted,
    heal: healedWith({ gate: {} }),
  },
];

const toTheEnd = { overrides: { steps: 5, seconds_per_step: 0.02 }, train: { waitFor: "end" } };

/** Gives the workload another evaluation program. */
const evaluates =
  (program: string) =>
  async ({ project }: World): Promise<void> =>
    project.write("tiny/evaluate.py", program);

/** Training is done; its evaluation has failed and can be read about. */
const evaluationFailed =
  (exitCode: number) =>
  async (world: World): Promise<void> => {
    expect(await runOf(world)).toMatchObject({ state: "finished", evaluation: { state: "failed", exitCode } });
    const { code, output } = await world.project.run("results");
    expect(code, output).toBe(0);
    expect(world.project.read("results/test/tiny-v1/run/evaluate.log")).not.toBe("");
  };

/** Faults of the evaluation. They never keep results from coming home. */
export const evaluationCases: readonly FaultCase[] = [
  {
    kind: "workload",
    stage: "evaluation",
    fault: "evaluation fails",
    tiny: toTheEnd,
    inject: evaluates('import sys\nsys.exit("no such layer")\n'),
    outcome: "ridden out",
    message: /evaluation[\s\S]*failed with status 2[\s\S]*no such layer/,
    after: evaluationFailed(2),
  },
  {
    kind: "workload",
    stage: "evaluation",
    fault: "evaluation hangs",
    tiny: { ...toTheEnd, evaluate: { timeoutMinutes: 0.05 } },
    inject: evaluates("import time\ntime.sleep(1e6)\n"),
    outcome: "ridden out",
    message: /evaluation[\s\S]*failed with status 124/,
    after: evaluationFailed(124),
  },
  {
    kind: "workload",
    stage: "evaluation",
    fault: "no checkpoint is written",
    tiny: { ...toTheEnd, evaluate: { checkpoint: "checkpoints/none*" } },
    inject: async () => {},
    outcome: "ridden out",
    message: /No checkpoint matches checkpoints\/none\* in/,
    after: evaluationFailed(66),
  },
];
