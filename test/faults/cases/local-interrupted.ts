import { existsSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import { type FaultCase, nameOf, type Stage } from "../case";
import { begins, isEnding, type Moment, slowly, started, withBulk, withLateFirstStep } from "../moments";
import { experiment, type World } from "../world";

/** Where the CLI is interrupted, and what makes this moment long enough to be met. */
interface Place {
  readonly stage: Stage;
  readonly moment: Moment;
  readonly before?: (world: World) => Promise<unknown>;
  readonly inject?: (world: World) => Promise<unknown>;
  /** What must be so besides the engine's word. */
  readonly so?: (world: World) => boolean | Promise<boolean>;
  /** What must be so once the next `up` has ended well. */
  readonly after?: (world: World) => Promise<unknown>;
  readonly heal?: (world: World) => Promise<unknown>;
}

const inHome =
  (path: string) =>
  async (world: World): Promise<boolean> => {
    const [instance] = await world.living();
    return instance !== undefined && world.memory.inHome(instance.id, path);
  };

/** A file of the instance has so many lines: what it counts was done so often. */
const lines =
  (path: string, count: number) =>
  async (world: World): Promise<void> =>
    expect(await world.onInstance(`wc -l < ${path}`)).toBe(`${count}\n`);

const partial = ({ project }: World): string =>
  join(project.folder, "results", project.stack, `.partial-${experiment}`);

const places: readonly Place[] = [
  { stage: "check", moment: "check" },
  { stage: "claim", moment: "claim" },
  {
    stage: "launch",
    moment: "launch",
    inject: ({ cloud }) =>
      cloud.admin.addApiFault({ match: { operation: "launchInstance" }, times: 1, action: { delayMs: 2500 } }),
    after: async ({ memory }) => expect(memory.seen.size).toBe(1),
  },
  {
    stage: "boot",
    moment: "boot",
    inject: ({ cloud }) =>
      cloud.admin.addInstanceFault({ match: {}, times: 1, trouble: { kind: "ssh-late", seconds: 900 } }),
    after: async ({ memory }) => expect(memory.seen.size).toBe(1),
  },
  {
    stage: "upload",
    moment: "upload",
    inject: async (world) => {
      withBulk(world, "tiny/model.bin", 200_000);
      await slowly(world, 60_000);
    },
  },
  {
    stage: "setup",
    moment: "setup",
    inject: async ({ project }) =>
      project.write("tiny/scripts/lambda_setup.sh", "#!/bin/bash\necho >> ~/setups\nsleep 4\n", 0o755),
    so: inHome("setups"),
    after: lines("setups", 1),
    heal: async () => {},
  },
  { stage: "start", moment: "start", after: lines("starts", 1) },
  {
    stage: "training",
    moment: "training",
    inject: withLateFirstStep,
    after: lines("starts", 1),
    heal: async () => {},
  },
  {
    stage: "download",
    moment: "download",
    before: async (world) => {
      withBulk(world, "tiny/model.bin", 300_000);
      const copy = 'import shutil\nshutil.copy("model.bin", out / "model.bin")\nsignal.signal(';
      world.project.write("tiny/train.py", world.project.read("tiny/train.py").replace("signal.signal(", copy));
      await started(world);
    },
    inject: (world) => slowly(world, 60_000),
    so: (world) => existsSync(partial(world)),
    heal: async () => {},
  },
  {
    stage: "terminate",
    moment: "terminate",
    before: started,
    inject: ({ cloud }) =>
      cloud.admin.addApiFault({ match: { operation: "terminateInstance" }, times: 1, action: { delayMs: 2000 } }),
    // What was begun is ended.
    heal: async (world) => {
      await world.heal();
      await world.fine(world.down());
    },
  },
];

const signals = {
  SIGINT: { fault: "Ctrl-C", outcome: "told", message: /cancel/, moments: Object.keys(begins) },
  // To the engine it is what Ctrl-C is: where it strikes is of account where most is at stake.
  SIGTERM: {
    fault: "the CLI is ended by SIGTERM",
    outcome: "told",
    message: /cancel/,
    moments: ["launch", "setup", "download"],
  },
  SIGKILL: { fault: "the CLI is killed", outcome: "killed", message: undefined, moments: Object.keys(begins) },
} as const;

type Signal = keyof typeof signals;

function interrupted(signal: Signal, place: Place): FaultCase {
  const { stage, moment, before, inject, so = () => true, after, heal } = place;
  const { fault, outcome, message } = signals[signal];
  return {
    kind: "local",
    stage,
    fault,
    before,
    inject: async (world) => inject?.(world),
    act: (world) => {
      const met = async (output: string): Promise<boolean> => begins[moment].test(output) && (await so(world));
      const ends = isEnding(moment);
      if (signal === "SIGKILL") return world.killWhen(met, { command: ends ? "destroy" : "up", signal });
      // As from a terminal or a service manager: to the command, which hands it on.
      return world.during(ends ? "down" : "up", async (output, pid) => {
        await world.until(() => met(output()));
        process.kill(pid, signal);
      });
    },
    outcome,
    message,
    after:
      after &&
      (async (world) => {
        await world.fine(world.up());
        await after(world);
      }),
    heal,
  };
}

/** In the default run: the one after which most is at stake. */
const inDefault = ["local · terminate · Ctrl-C"];

/** The CLI ended from outside, at every stage. */
export const interruptedCases: readonly FaultCase[] = (Object.keys(signals) as Signal[])
  .flatMap((signal) => {
    const moments: readonly string[] = signals[signal].moments;
    return places.filter(({ moment }) => moments.includes(moment)).map((place) => interrupted(signal, place));
  })
  .map((one) => ({ ...one, inDefault: inDefault.includes(nameOf(one)) }));
