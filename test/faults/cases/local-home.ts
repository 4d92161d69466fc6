import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import type { Ended } from "../../support/project";
import type { FaultCase } from "../case";
import { atOutput, begins, slowly, started, withBulk } from "../moments";
import { experiment, type World } from "../world";

const results = ({ project }: World): string => join(project.folder, "results");

/** A command while the results' folder is a disk of its own. Needs root. */
const withDisk =
  (options: string, act: FaultCase["act"] = (world) => world.down()) =>
  async (world: World): Promise<Ended> => {
    mkdirSync(results(world), { recursive: true });
    execFileSync("mount", ["-t", "tmpfs", "-o", options, "tmpfs", results(world)]);
    try {
      return await act(world);
    } finally {
      execFileSync("umount", ["--lazy", results(world)]);
    }
  };

const nothingElse = async (): Promise<void> => {};

/** A run whose results hold so many bytes more than usual. */
const startedWith =
  (bytes: number) =>
  async (world: World): Promise<void> => {
    withBulk(world, "tiny/model.bin", bytes);
    const copy = 'import shutil\nshutil.copy("model.bin", out / "model.bin")\nsignal.signal(';
    world.project.write("tiny/train.py", world.project.read("tiny/train.py").replace("signal.signal(", copy));
    await started(world);
  };

/** Whether content of the results has come home, of a download that goes on. */
function someArrived(world: World): boolean {
  const partial = join(results(world), "test", `.partial-${experiment}`);
  return ["tree", "parts"].some(
    (name) => existsSync(join(partial, name)) && readdirSync(join(partial, name)).length > 0,
  );
}

/** The instance lives on, with its results. */
const kept = async (world: World): Promise<void> => {
  await world.instanceId();
};

/** Faults of the disk at home. A disk of their own needs root: where there is none, a file in the way stands for them. */
const ofTheDisk: readonly FaultCase[] = [
  {
    kind: "local",
    stage: "download",
    fault: "the disk is too small for the results",
    before: startedWith(3_000_000),
    inject: nothingElse,
    act: withDisk("size=1m"),
    outcome: "told",
    message: /The results need .* more, but the disk of .* has .* free\. Make room, or set results\.directory/,
    after: kept,
    heal: nothingElse,
  },
  {
    kind: "local",
    stage: "download",
    fault: "the disk fills up while the results come",
    before: startedWith(3_000_000),
    inject: (world) => slowly(world, 300_000),
    act: withDisk("size=4m", (world) =>
      world.during("down", async () => {
        await world.until(() => someArrived(world));
        try {
          writeFileSync(join(results(world), "filler"), Buffer.alloc(5_000_000, 1));
        } catch {
          // Full, as it should be.
        }
        await world.cloud.admin.removeAllFaults();
      }),
    ),
    outcome: "told",
    message: /The disk of .* is full\. What has arrived stays there. Make room and run the command again/,
    after: kept,
    heal: nothingElse,
  },
  {
    kind: "local",
    stage: "download",
    fault: "the results' folder cannot be written",
    before: started,
    inject: nothingElse,
    act: withDisk("ro"),
    outcome: "told",
    message: /keeps running and billing.*Couldn't make the results' folder.*set results\.directory to another one/s,
    after: kept,
    heal: nothingElse,
  },
];

const states = ({ project }: World): string =>
  join(project.folder, ".local", "state", ".pulumi", "stacks", "lambda-train");

/** What the user runs without the invariants being checked after it: they read the state, which is what is broken. */
const unwatched = (world: World, name: string, args: readonly string[] = [], env: NodeJS.ProcessEnv = {}) =>
  world.project.run(name, args, env);

/** Faults of this machine's files and of what else is done on it. */
export const homeCases: readonly FaultCase[] = [
  ...ofTheDisk.map((one) => ({ ...one, needsRoot: true })),
  {
    kind: "local",
    stage: "download",
    fault: "a file is where the results' folder should be",
    before: started,
    inject: async ({ project }) => project.write("results", "notes\n"),
    act: (world) => world.down(),
    outcome: "told",
    message: /keeps running and billing[\s\S]*npm run down -- --lose-results/,
    after: kept,
    heal: async (world) => rmSync(results(world)),
  },
  {
    kind: "local",
    stage: "download",
    fault: "another download into the folder goes on",
    before: startedWith(3_000_000),
    inject: (world) => slowly(world, 20_000),
    act: async (world) => {
      const first = unwatched(world, "results");
      await world.until(() => someArrived(world));
      const waits = /Another command is downloading these results. Waiting for it/;
      const second = await atOutput(world, "down", waits, () => world.cloud.admin.removeAllFaults());
      const { code, output } = await first;
      expect(code, output).toBe(0);
      return second;
    },
    outcome: "ridden out",
    heal: nothingElse,
  },
  {
    kind: "local",
    stage: "claim",
    fault: "another up of the stack goes on",
    inject: async ({ project }) =>
      project.write("tiny/scripts/lambda_setup.sh", "#!/bin/bash\necho >> ~/setups\nsleep 8\n", 0o755),
    act: async (world) => {
      let second: Awaited<ReturnType<World["up"]>> | undefined;
      const first = await atOutput(world, "up", begins.setup, async () => {
        second = await unwatched(world, "up");
      });
      expect(first.code, first.output).toBe(0);
      return second ?? first;
    },
    outcome: "told",
    message: /the stack is currently locked by 1 lock/,
    after: async (world) => expect(await world.onInstance("wc -l < setups")).toBe("1\n"),
    heal: async () => {},
  },
  {
    kind: "local",
    stage: "terminate",
    fault: "down while an up of the stack goes on",
    inject: async ({ project }) => project.write("tiny/scripts/lambda_setup.sh", "#!/bin/bash\nsleep 8\n", 0o755),
    act: async (world) => {
      let second: Awaited<ReturnType<World["up"]>> | undefined;
      const first = await atOutput(world, "up", begins.setup, async () => {
        second = await unwatched(world, "down", ["--keep-cloud"]);
      });
      expect(first.code, first.output).toBe(0);
      return second ?? first;
    },
    outcome: "told",
    message: /the stack is currently locked by 1 lock/,
    after: kept,
    heal: async () => {},
  },
  {
    kind: "local",
    stage: "check",
    fault: "the passphrase is another",
    before: started,
    inject: async () => {},
    act: (world) => unwatched(world, "up", [], { PULUMI_CONFIG_PASSPHRASE: "another" }),
    outcome: "told",
    message: /incorrect passphrase/,
    after: async (world) => expect((await world.status()).run).toMatchObject({ state: "running", attempt: 1 }),
  },
  {
    kind: "local",
    stage: "download",
    fault: "the passphrase is another at the end",
    before: started,
    inject: async () => {},
    act: (world) => unwatched(world, "down", ["--keep-cloud"], { PULUMI_CONFIG_PASSPHRASE: "another" }),
    outcome: "told",
    message: /incorrect passphrase/,
    after: kept,
  },
  {
    kind: "local",
    stage: "training",
    fault: "the state file is lost",
    before: started,
    inject: async (world) => rmSync(join(states(world), "test.json")),
    act: (world) => unwatched(world, "adopt"),
    outcome: "ridden out",
    message: /Stack test is as it was at .* and knows instance .* again[\s\S]*Run: running/,
    after: async (world) => expect((await world.status()).run).toMatchObject({ state: "running", attempt: 1 }),
    heal: async () => {},
    inDefault: true,
  },
  {
    kind: "local",
    stage: "training",
    fault: "the state file is cut short",
    before: started,
    inject: async (world) => {
      const path = join(states(world), "test.json");
      writeFileSync(path, world.project.stateText().slice(0, 2000));
    },
    act: async (world) => {
      const broken = await unwatched(world, "up");
      expect(broken.code, broken.output).not.toBe(0);
      await kept(world);
      return unwatched(world, "adopt");
    },
    outcome: "ridden out",
    message: /Stack test is as it was at .* and knows instance .* again[\s\S]*Run: running/,
    heal: async () => {},
  },
  {
    kind: "local",
    stage: "training",
    fault: "results at home were changed by hand",
    before: async (world) => {
      await started(world);
      expect((await world.project.run("results")).code).toBe(0);
    },
    inject: async ({ project }) => {
      project.write(`results/test/${experiment}/checkpoints/last.json`, "{}");
      project.write(`results/test/${experiment}/notes.txt`, "mine\n");
    },
    act: (world) => world.down(),
    outcome: "ridden out",
    message: /verified in results/,
    after: async ({ project }) => {
      expect(project.read(`results/test/${experiment}/checkpoints/last.json`)).toContain("step");
      expect(project.read(`results/test/${experiment}/notes.txt`)).toBe("mine\n");
    },
  },
];
