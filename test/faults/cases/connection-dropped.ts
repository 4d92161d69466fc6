import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "vitest";
import { tarOf } from "../archives";
import type { FaultCase } from "../case";
import { atInstance, atStage, bulk, dropAll, started, withBulk, withLateFirstStep } from "../moments";
import { experiment, type World } from "../world";

const run = `.lambda-train/runs/${experiment}`;

/** The run was started once and goes on. */
async function goesOn(world: World): Promise<void> {
  expect((await world.status()).run).toMatchObject({ state: "running", attempt: 1 });
}

/** The command is lost, its work is not: the next `up` joins it. `once`: a file with a line for each time it was done. */
const joinedLater =
  (once: string) =>
  async (world: World): Promise<void> => {
    const instance = await world.instanceId();
    await world.fine(world.up());
    expect(await world.instanceId()).toBe(instance);
    expect(await world.onInstance(`wc -l < ${once}`)).toBe("1\n");
    await goesOn(world);
  };

/** A setup that takes its time. */
const slowSetup = "#!/bin/bash\ndate +%s%N >> ~/setups\nsleep 4\n";

/** A tmux that takes its time. */
const slowTmux = '#!/bin/bash\nif [ "$1" = new-session ]; then sleep 4; fi\nexec /usr/bin/tmux "$@"\n';

const lostCommand = /remote command exited without exit status|connection|ECONNRESET|lost/;

/** Connections that are reset at a stage. */
export const droppedCases: readonly FaultCase[] = [
  {
    kind: "connection",
    stage: "upload",
    fault: "dropped again and again while the code is sent",
    inject: async (world) => {
      withBulk(world, "tiny/model.bin", 2_000_000);
      await world.cloud.admin.addLinkFault({ match: {}, times: 3, trouble: { kind: "drop-after", bytes: 500_000 } });
    },
    outcome: "ridden out",
    message: /was lost.*Trying again in 1 s/,
    after: async (world) => {
      expect(await world.onInstance("sha256sum < tiny/model.bin")).toContain(bulk(2_000_000).sha256);
      await goesOn(world);
    },
    inDefault: true,
  },
  {
    kind: "connection",
    stage: "upload",
    fault: "dropped again and again while the dataset is sent",
    inject: async (world) => {
      withBulk(world, "tiny-data/valid/big.bin", 2_000_000);
      await world.cloud.admin.addLinkFault({ match: {}, times: 3, trouble: { kind: "drop-after", bytes: 500_000 } });
    },
    outcome: "ridden out",
    message: /was lost.*Trying again in 1 s/,
    after: async (world) => {
      expect(await world.onInstance("sha256sum < tiny/data/valid/big.bin")).toContain(bulk(2_000_000).sha256);
      await goesOn(world);
    },
  },
  {
    kind: "connection",
    stage: "upload",
    fault: "dropped again and again while an archive is sent",
    tiny: { dataset: { source: "data.tar" } },
    inject: async (world) => {
      withBulk(world, "tiny-data/valid/big.bin", 2_000_000);
      tarOf(world, "data.tar", "tiny-data");
      await world.cloud.admin.addLinkFault({ match: {}, times: 3, trouble: { kind: "drop-after", bytes: 500_000 } });
    },
    outcome: "ridden out",
    message: /was lost.*Trying again in 1 s/,
    after: async (world) => {
      expect(await world.onInstance("sha256sum < tiny/data/valid/big.bin")).toContain(bulk(2_000_000).sha256);
    },
  },
  {
    kind: "connection",
    stage: "setup",
    fault: "dropped while setup runs",
    inject: async ({ project }) => project.write("tiny/scripts/lambda_setup.sh", slowSetup, 0o755),
    act: (world) => atInstance(world, "up", "setups", () => dropAll(world)),
    outcome: "told",
    message: lostCommand,
    after: joinedLater("setups"),
    heal: async () => {},
  },
  {
    kind: "connection",
    stage: "start",
    fault: "dropped while training is started",
    inject: async () => {},
    act: (world) =>
      atStage(world, "gate", async () => {
        await world.cloud.admin.putFile(await world.instanceId(), { path: "/usr/local/bin/tmux", content: slowTmux });
        await world.until(async () => world.memory.inHome(await world.instanceId(), `${run}/state.json`));
        await dropAll(world);
      }),
    outcome: "told",
    message: lostCommand,
    after: joinedLater("starts"),
  },
  {
    kind: "connection",
    stage: "training",
    fault: "dropped again and again while the first step is waited for",
    inject: withLateFirstStep,
    act: (world) =>
      atStage(world, "training", async () => {
        for (let i = 0; i < 4; i++) {
          await sleep(700);
          await dropAll(world);
        }
      }),
    outcome: "ridden out",
    after: goesOn,
  },
  {
    kind: "connection",
    stage: "training",
    fault: "dropped again and again while the log is followed",
    tiny: { overrides: { steps: 60, seconds_per_step: 0.4 } },
    before: (world) => world.fine(world.up()),
    inject: async () => {},
    act: async (world) => {
      const { child, ended } = world.project.start(process.execPath, ["dist/cli/logs.js"]);
      let shown = "";
      child.stdout?.on("data", (chunk: Buffer) => {
        shown += chunk.toString();
      });
      await world.until(() => shown.includes("step 1 loss"));
      for (let i = 0; i < 4; i++) {
        await dropAll(world);
        await sleep(1000);
      }
      return ended;
    },
    outcome: "ridden out",
    after: async (_world, { output }) => {
      const steps = [...output.matchAll(/^step (\d+) loss/gm)].map(([, step]) => Number(step));
      expect(steps).toEqual(Array.from({ length: 60 }, (_, i) => i + 1));
      expect(output).toMatch(/was lost/);
    },
  },
  {
    kind: "connection",
    stage: "evaluation",
    fault: "dropped while the evaluation is waited for",
    before: async (world) => {
      const { project } = world;
      project.write("tiny/evaluate.py", `import time\ntime.sleep(4)\n${project.read("tiny/evaluate.py")}`);
      await started(world);
    },
    inject: async () => {},
    act: (world) => atInstance(world, "down", `${run}/evaluate.log`, () => dropAll(world)),
    outcome: "ridden out",
    message: /verified in results/,
    after: async ({ project }) =>
      expect(project.read(`results/test/${experiment}/run/evaluate.log`).match(/: evaluating/g)).toHaveLength(1),
  },
  {
    kind: "connection",
    stage: "terminate",
    fault: "dropped while training is stopped",
    before: async (world) => {
      const { project } = world;
      const slow = project.read("tiny/train.py").replace("def stop(*_):\n", "def stop(*_):\n    time.sleep(3)\n");
      project.write("tiny/train.py", slow);
      await started(world);
    },
    inject: async () => {},
    act: (world) => atInstance(world, "down", `${run}/events.jsonl`, () => dropAll(world), "stopping"),
    outcome: "ridden out",
    message: /stopping the run[\s\S]*verified in results/,
    after: async ({ project }) =>
      expect(project.read(`results/test/${experiment}/run/train.log`).match(/stopped at step/g)).toHaveLength(1),
  },
  {
    kind: "connection",
    stage: "download",
    fault: "dropped again and again while the results come",
    before: async (world) => {
      const { project } = world;
      const more = `${project.read("tiny/train.py").replace("signal.signal(", `import os\n(out / "big.bin").write_bytes(os.urandom(3_000_000))\nsignal.signal(`)}`;
      project.write("tiny/train.py", more);
      await started(world);
    },
    inject: ({ cloud }) =>
      cloud.admin.addLinkFault({ match: {}, times: 4, trouble: { kind: "drop-after", bytes: 700_000 } }),
    act: (world) => world.down(),
    outcome: "ridden out",
    message: /verified in results/,
  },
  {
    kind: "connection",
    stage: "refresh",
    fault: "dropped at each look",
    before: started,
    inject: ({ cloud }) =>
      cloud.admin.addLinkFault({ match: {}, times: 2, trouble: { kind: "drop-after", bytes: 3000 } }),
    act: (world) => world.refresh(),
    outcome: "ridden out",
    after: goesOn,
  },
];
