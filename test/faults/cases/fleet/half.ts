import { expect } from "vitest";
import type { FaultCase } from "../../case";
import { endless, twoNodes } from "../../fleet";
import { instanceType, type World } from "../../world";

/** How often each machine's instance was launched in all is once: the next `up` takes over what was there. */
const adopted = async (world: World): Promise<void> => {
  await world.fine(world.up());
  expect((await world.living()).length).toBe(2);
  expect(world.memory.seen.size).toBe(2);
};

const slowLaunches = ({ cloud }: World) =>
  cloud.admin.addApiFault({ match: { operation: "launchInstance" }, times: 2, action: { delayMs: 2500 } });

const bothLaunching = (output: string): boolean =>
  /Instance instance-vm creating/.test(output) && /Instance machine-2-instance-vm creating/.test(output);

/** A fleet of which a part alone is launched. */
export const halfCases: readonly FaultCase[] = [
  {
    kind: "fleet",
    stage: "launch",
    fault: "capacity for one of two nodes",
    tiny: { ...twoNodes, stack: { capacityTimeoutMinutes: 0 } },
    inject: ({ cloud }) => cloud.admin.setCapacity({ instanceType, region: "us-east-1", free: 1, listed: true }),
    outcome: "told",
    message: /1 of 2 cpu_4x_general in us-east-1 were launched and are terminated: there is no capacity for the others/,
    after: async (world) => {
      const { cloud, bystander, memory } = world;
      expect(await world.living()).toEqual([]);
      expect(memory.seen.size).toBe(1);
      const { entries } = await cloud.admin.ledger();
      expect(entries.filter(({ to, instanceId }) => to === undefined && instanceId !== bystander.instanceId)).toEqual(
        [],
      );
    },
    inDefault: true,
  },
  {
    kind: "fleet",
    stage: "launch",
    fault: "the CLI is killed while two machines are launched",
    tiny: endless,
    inject: slowLaunches,
    act: (world) => world.killWhen(bothLaunching),
    outcome: "killed",
    after: adopted,
  },
  {
    kind: "fleet",
    stage: "launch",
    fault: "the machine loses power when one of two nodes is launched",
    tiny: twoNodes,
    inject: slowLaunches,
    act: (world) => world.killWhen(async () => (await world.living()).length === 1, { family: true }),
    outcome: "killed",
    after: adopted,
    inDefault: true,
  },
];
