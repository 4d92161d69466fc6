import { join } from "node:path";
import { expect } from "vitest";
import { recordHead } from "../../../../remote/transfer/results-file";
import type { FaultCase } from "../../case";
import {
  fleetRules,
  instanceOf,
  on,
  resumed,
  runOn,
  sweepOf,
  twoNodes,
  untilTrials,
  withoutFleetRules,
  withoutGlobalRules,
  workerLog,
} from "../../fleet";
import { started } from "../../moments";
import { experiment, type World } from "../../world";

/** Trials end when they are let, and not before. */
const heldTrials = async (world: World): Promise<void> => {
  const program = world.project.read("tiny/train.py");
  const held = 'while not (pathlib.Path.home() / "go").exists():\n    time.sleep(0.1)\nsave("last.json")\n';
  const at = program.lastIndexOf('save("last.json")\n');
  world.project.write("tiny/train.py", program.slice(0, at) + held + program.slice(at + 'save("last.json")\n'.length));
  await started(world);
};

const restoring = new WeakMap<World, () => Promise<void>>();

/** The fleet's rules alone let its machines in to each other. */
const closedAccount = async (world: World): Promise<void> => {
  restoring.set(world, await withoutGlobalRules(world));
};
const openAccount = async (world: World): Promise<void> => restoring.get(world)?.();

/** Ends connections that machines have to others, until something is so: the firewall's rules take a moment to be in force. */
const cutUntil = (world: World, machines: readonly string[], so: () => boolean): Promise<void> =>
  world.until(async () => {
    for (const machine of machines) await on(world, machine, "pkill -f '^ssh .*lambda-train/fleet/'");
    return so();
  });

/** The way between the machines is closed, to new connections and to those that were open. */
const closeBetween = async (world: World): Promise<void> => {
  await withoutFleetRules(world);
  const says = (text: string): boolean => world.memory.inHome(instanceOf(world, "machine-2"), workerLog, text);
  await cutUntil(world, ["machine-2"], () => says("doesn't answer; what runs here goes on"));
  for (const machine of ["machine", "machine-2"]) await on(world, machine, "touch go");
  await world.until(() => says(" finished: "));
  const [ended, goesOn] = await untilTrials(world, (trials) => trials.some(({ state }) => state === "complete")).then(
    (trials) => trials.toSorted((a, b) => (a.state < b.state ? -1 : 1)),
  );
  // The study waits for word of the other one.
  expect([ended?.state, goesOn?.state, goesOn?.machine]).toEqual(["complete", "running", "machine-2"]);
};

/** The same between two nodes: neither has word of the other, and both stop. */
const closeBetweenNodes = async (world: World): Promise<void> => {
  for (const { id } of await world.living()) world.memory.disturbed.add(id);
  await withoutFleetRules(world);
  const machines = ["machine", "machine-2"];
  await cutUntil(world, machines, () => machines.every((machine) => runOn(world, machine).ended));
  for (const machine of machines) expect(world.memory.stopReason(runOn(world, machine))).toBe("node lost");
};

/** A trial is stopped on one machine, and the other one brings it to its end. */
const endElsewhere = async (world: World): Promise<void> => {
  await world.fine(world.project.run("stop", ["--machine", "machine-2"]));
  await on(world, "machine", "touch go");
  await untilTrials(world, (trials) => trials.every(({ state }) => state === "complete"));
};

/** The network between machines is split while trials run. */
export const splitCases: readonly FaultCase[] = [
  {
    kind: "fleet",
    stage: "training",
    fault: "the firewall between the machines is closed",
    tiny: sweepOf(20, 21),
    before: async (world) => {
      await closedAccount(world);
      await heldTrials(world);
    },
    inject: closeBetween,
    outcome: "ridden out",
    message: /Somebody changed the firewall: 2 of 2 machines can't reach the others/,
    after: async (world) => {
      expect(Math.min(...Object.values(await fleetRules(world)))).toBe(2);
      const trials = await untilTrials(world, (all) => all.every(({ state }) => state === "complete"));
      expect(trials.map(({ attempt, params }) => [attempt, params.steps])).toEqual([
        [1, 20],
        [1, 21],
      ]);
    },
    // The trials have ended on the code of the case.
    heal: openAccount,
  },
  {
    kind: "fleet",
    stage: "training",
    fault: "the firewall between the nodes is closed",
    tiny: twoNodes,
    before: async (world) => {
      await closedAccount(world);
      await started(world);
    },
    inject: closeBetweenNodes,
    outcome: "ridden out",
    message: /Somebody changed the firewall: 2 of 2 machines can't reach the others/,
    after: resumed,
    heal: async (world) => {
      await openAccount(world);
      await world.heal();
    },
  },
  {
    kind: "fleet",
    stage: "download",
    fault: "a trial has ended on another machine than it began on",
    tiny: sweepOf(20, 21),
    before: heldTrials,
    inject: endElsewhere,
    act: (world) => world.down(),
    outcome: "ridden out",
    message: /verified in results\/test\/part\.[0-9a-f]{8}\/tiny-v1-t\d/,
    after: async ({ project }) => {
      for (const number of [0, 1]) {
        const head = recordHead(join(project.folder, "results", project.stack, `${experiment}-t${number}`));
        expect(head?.run?.attempts.at(-1)).toMatchObject({ exitCode: 0 });
        expect(head?.run?.attempts.at(-1)?.stopReason).toBeUndefined();
      }
    },
  },
];
