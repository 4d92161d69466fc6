import { setTimeout as sleep } from "node:timers/promises";
import type { FaultCase } from "../../case";
import { expectNothingRented, expectSame } from "../expect";

const type = "cpu_4x_general";

/** Faults of capacity, price and what is on offer. */
export const capacityCases: readonly FaultCase[] = [
  {
    kind: "api",
    stage: "launch",
    fault: "capacity refused although listed, until it comes",
    inject: ({ cloud }) => cloud.admin.setCapacity({ instanceType: type, region: "us-east-1", free: 0, listed: true }),
    act: (world) =>
      world.during("up", async (output) => {
        await world.until(() => /waiting up to/.test(output()));
        await sleep(1000);
        if ((await world.living()).length > 0) throw new Error("Something was launched without capacity.");
        await world.cloud.admin.setCapacity({ instanceType: type, region: "us-east-1", free: null, listed: "auto" });
      }),
    outcome: "ridden out",
    message: /waiting for capacity|no capacity now for .*: waiting up to/,
  },
  {
    kind: "api",
    stage: "launch",
    fault: "capacity refused in the first region, granted in the second",
    tiny: { stack: { regions: ["us-east-1", "us-west-1"] } },
    inject: ({ cloud }) => cloud.admin.setCapacity({ instanceType: type, region: "us-east-1", free: 0, listed: true }),
    outcome: "ridden out",
    message: /launched cpu_4x_general in us-west-1/,
  },
  {
    kind: "api",
    stage: "launch",
    fault: "first type sold out, second one free",
    tiny: { stack: { instanceTypes: ["gpu_1x_a10", type] } },
    inject: ({ cloud }) =>
      cloud.admin.setCapacity({ instanceType: "gpu_1x_a10", region: "us-east-1", free: 0, listed: "auto" }),
    outcome: "ridden out",
    message: /launched cpu_4x_general in us-east-1/,
    // What was sold out is free again, and nevertheless nothing is replaced.
    heal: async (world) => {
      await world.heal();
      const id = await world.instanceId();
      await world.fine(world.up());
      await expectSame(world, id);
    },
  },
  {
    kind: "api",
    stage: "launch",
    fault: "no capacity in the time given",
    tiny: { stack: { capacityTimeoutMinutes: 0 } },
    inject: ({ cloud }) => cloud.admin.setCapacity({ instanceType: type, region: "*", free: 0, listed: true }),
    outcome: "told",
    message:
      /No capacity now for cpu_4x_general in us-east-1; nothing was launched\. (Listed as free now: (?!.*us-east-1)|.*List more types).*or wait longer/,
    after: expectNothingRented,
  },
  {
    kind: "api",
    stage: "launch",
    fault: "no capacity within some minutes",
    tiny: { stack: { capacityTimeoutMinutes: 5 } },
    inject: ({ cloud }) => cloud.admin.setCapacity({ instanceType: type, region: "*", free: 0, listed: true }),
    outcome: "told",
    message: /No capacity within 5 min \(capacityTimeoutMinutes\) for cpu_4x_general/,
    after: expectNothingRented,
  },
  {
    kind: "api",
    stage: "check",
    fault: "price that rose over maxPricePerHour",
    tiny: { stack: { maxPricePerHour: 2 } },
    inject: ({ cloud }) => cloud.admin.setPrice(type, 99_900),
    outcome: "told",
    message: /\$999\.00 per hour is over maxPricePerHour \$2\.00/,
  },
  {
    kind: "api",
    stage: "check",
    fault: "price that rose over the budget",
    tiny: { stack: { budgetDollars: 10, expectedHours: 2 } },
    inject: ({ cloud }) => cloud.admin.setPrice(type, 99_900),
    outcome: "told",
    message: /2 h at \$999\.00 = \$1998\.00 is over budgetDollars \$10\.00/,
  },
  {
    kind: "api",
    stage: "check",
    fault: "instance type that is not offered",
    inject: async (world) => world.configure({ stack: { instanceTypes: ["cpu_4x_generel"] } }),
    outcome: "told",
    message: /No instance type "cpu_4x_generel"\. Did you mean cpu_4x_general\?/,
  },
  {
    kind: "api",
    stage: "check",
    fault: "file system that is not there",
    inject: async (world) => world.configure({ stack: { fileSystem: "datasets" } }),
    outcome: "told",
    message: /file system.*datasets/i,
  },
];
