import { setTimeout as sleep } from "node:timers/promises";
import type { NewLinkFault } from "../../../emulator/admin/faults";
import type { FaultCase, Stage } from "../case";
import { atStage, dropAll, isEnding, type Moment, started, withBulk } from "../moments";
import type { World } from "../world";

/** Where a connection is hindered: the stage, its moment in the engine's output, and what is done then. */
const places: readonly { readonly stage: Stage; readonly moment: Moment; readonly what: string }[] = [
  { stage: "upload", moment: "upload", what: "the code is sent" },
  { stage: "upload", moment: "extraction", what: "the dataset is put into place" },
  { stage: "setup", moment: "setup", what: "setup runs" },
  { stage: "start", moment: "start", what: "training is started" },
  { stage: "training", moment: "training", what: "the first step is waited for" },
  { stage: "download", moment: "download", what: "the results come" },
];

interface Hindrance {
  readonly how: string;
  readonly trouble: NewLinkFault["trouble"];
  readonly ms: number;
  /** Default: at each place. */
  readonly moments?: readonly Moment[];
}

/** How it is hindered, and for how long. Slow is of account where much is sent. */
const hindrances: readonly Hindrance[] = [
  { how: "half-open for a while", trouble: { kind: "stall" }, ms: 6000 },
  {
    how: "slow",
    trouble: { kind: "throttle", bytesPerSecond: 40_000 },
    ms: 20_000,
    moments: ["upload", "setup", "download"],
  },
];

/** Runs up to the moment, hinders the connection for a time, and waits for the end. */
function hindered(
  world: World,
  moment: Moment,
  trouble: NewLinkFault["trouble"],
  during: (output: () => string) => Promise<unknown>,
): ReturnType<World["up"]> {
  return atStage(world, moment, async (_pid, output) => {
    const { id } = await world.cloud.admin.addLinkFault({ match: {}, trouble });
    await during(output);
    await world.cloud.admin.removeFault(id);
  });
}

const before =
  (moment: Moment) =>
  async (world: World): Promise<void> => {
    if (isEnding(moment)) await started(world);
  };

const noConnection = /waiting for SSH.*: No SSH connection to/;

/** Connections that are there but carry nothing, or little, and those that cannot be made for a while. */
export const hinderedCases: readonly FaultCase[] = [
  ...hindrances.flatMap(({ how, trouble, ms, moments }) =>
    places
      .filter(({ moment }) => moments?.includes(moment) ?? true)
      .map(
        ({ stage, moment, what }): FaultCase => ({
          kind: "connection",
          stage,
          fault: `${how} while ${what}`,
          before: before(moment),
          inject: async (world) => {
            if (moment === "upload") withBulk(world, "tiny/model.bin", 100_000);
          },
          act: (world) => hindered(world, moment, trouble, () => sleep(ms)),
          outcome: "ridden out",
        }),
      ),
  ),
  {
    kind: "connection",
    stage: "upload",
    fault: "half-open and then forgotten while the code is sent",
    inject: async (world) => withBulk(world, "tiny/model.bin", 100_000),
    act: (world) =>
      hindered(world, "upload", { kind: "stall" }, async () => {
        await sleep(4000);
        await dropAll(world);
      }),
    outcome: "ridden out",
  },
  {
    kind: "connection",
    stage: "connect",
    fault: "refused for a while",
    inject: async () => {},
    // A log tells of what is waited for once that has lasted some seconds.
    act: (world) =>
      hindered(world, "boot", { kind: "refuse" }, (output) => world.until(() => noConnection.test(output()))),
    outcome: "ridden out",
    message: noConnection,
  },
  {
    kind: "connection",
    stage: "setup",
    fault: "refused for a while",
    inject: async () => {},
    act: (world) => hindered(world, "setup", { kind: "refuse" }, () => sleep(5000)),
    outcome: "ridden out",
  },
  {
    kind: "connection",
    stage: "download",
    fault: "refused for good",
    before: started,
    inject: ({ cloud }) => cloud.admin.addLinkFault({ match: {}, trouble: { kind: "refuse" } }),
    act: async (world) => {
      await sleep(500);
      return world.down();
    },
    outcome: "told",
    message: /Couldn't download the results of tiny-v1, so instance .* keeps running and billing/,
    after: async (world) => {
      await world.instanceId();
    },
  },
  {
    kind: "connection",
    stage: "refresh",
    fault: "refused for good",
    before: started,
    inject: ({ cloud }) => cloud.admin.addLinkFault({ match: {}, trouble: { kind: "refuse" } }),
    act: (world) => world.refresh(),
    outcome: "ridden out",
    message: /What was known stays/,
  },
];
