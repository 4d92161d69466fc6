import { expect } from "vitest";
import type { ToldTrial } from "../../../support/trials";
import { trialsOf } from "../../../support/trials";
import type { FaultCase } from "../../case";
import { endless, instanceOf, lose, resumed, runOn, sweepOf, twoNodes, untilTrials } from "../../fleet";
import { started } from "../../moments";
import { experiment, type World } from "../../world";

/** Where a machine's instance was before the fault. */
const kept = (machine: string) => {
  const before = new WeakMap<World, string>();
  return {
    note: (world: World) => before.set(world, instanceOf(world, machine)),
    check: (world: World) => expect(instanceOf(world, machine)).toBe(before.get(world)),
  };
};
const [first, second] = [kept("machine"), kept("machine-2")];

const on2 = ({ machine }: ToldTrial): boolean => machine === "machine-2";

/** The machines train a trial each, and both go on. */
const eachTrains = (trials: readonly ToldTrial[]): boolean =>
  trials.filter(({ state }) => state === "running").length === 2 &&
  new Set(trials.map(({ machine }) => machine)).size === 2;

const nodesStarted = async (world: World): Promise<void> => {
  await started(world);
  first.note(world);
  second.note(world);
};

/** A node is lost, and the other one has stopped by itself. */
const losesNode =
  (machine: string, other: string) =>
  async (world: World): Promise<void> => {
    await lose(world, machine);
    await world.until(() => runOn(world, other).ended);
    expect(world.memory.stopReason(runOn(world, other))).toMatch(/node lost|rank \d failed/);
  };

/** A machine of a fleet that is lost while it works. */
export const lostCases: readonly FaultCase[] = [
  {
    kind: "fleet",
    stage: "training",
    fault: "a sweep's machine is lost",
    tiny: endless,
    before: async (world) => {
      await started(world);
      await untilTrials(world, eachTrains);
      first.note(world);
    },
    inject: (world) => lose(world, "machine-2"),
    outcome: "ridden out",
    message: /Instance .* is gone/,
    after: async (world) => {
      first.check(world);
      const trials = await untilTrials(world, eachTrains);
      // The lost attempt is all that is trained twice.
      expect(trials.map((trial) => [on2(trial), trial.attempt]).sort()).toEqual([
        [false, 1],
        [true, 2],
      ]);
    },
  },
  {
    kind: "fleet",
    stage: "training",
    fault: "the study's machine is lost",
    tiny: sweepOf(10, 100_000, 100_001),
    before: async (world) => {
      await started(world);
      await untilTrials(world, (trials) => trials[0]?.state === "complete" && eachTrains(trials.slice(1)));
      await world.fine(world.project.run("results"));
      second.note(world);
    },
    inject: (world) => lose(world, "machine"),
    outcome: "ridden out",
    message: new RegExp(`${experiment}: the study is on machine now, with all that was known of it`),
    after: async (world) => {
      second.check(world);
      const [complete, ...others] = await untilTrials(world, (trials) => eachTrains(trials.slice(1)));
      expect(complete).toMatchObject({ state: "complete", attempt: 1, params: { steps: 10 } });
      // The copy may be of just before the lost trial was given out: then that attempt is the first again.
      const [lost, ran] = others.toSorted((one, other) => Number(on2(one)) - Number(on2(other)));
      expect([lost?.attempt, ran?.attempt]).toEqual([expect.toSatisfy((attempt: number) => attempt <= 2), 1]);
      expect((await trialsOf(world.project)).length).toBe(3);
    },
  },
  {
    kind: "fleet",
    stage: "training",
    fault: "a node is lost",
    tiny: twoNodes,
    before: nodesStarted,
    inject: losesNode("machine-2", "machine"),
    outcome: "ridden out",
    message: /launching beside the machines that train together in us-east-1/,
    after: async (world) => {
      first.check(world);
      await resumed(world);
    },
  },
  {
    kind: "fleet",
    stage: "download",
    fault: "the study's machine is lost",
    tiny: endless,
    before: async (world) => {
      await started(world);
      await untilTrials(world, eachTrains);
    },
    inject: (world) => lose(world, "machine"),
    act: (world) => world.down(),
    outcome: "ridden out",
    message: /is gone; only the results downloaded before remain/,
  },
];
