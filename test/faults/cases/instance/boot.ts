import type { InstanceTrouble } from "../../../../emulator/faults/model";
import type { FaultCase } from "../../case";
import type { World } from "../../world";
import { refreshed } from "./heal";

const trouble =
  (wanted: InstanceTrouble) =>
  ({ cloud }: World) =>
    cloud.admin.addInstanceFault({ match: {}, times: 1, trouble: wanted });

/** Faults from the launch until somebody can log in. */
export const bootCases: readonly FaultCase[] = [
  {
    kind: "instance",
    stage: "boot",
    fault: "boots slowly",
    inject: ({ cloud }) => cloud.admin.patchSettings({ seconds: { bootCpu: 800 } }),
    outcome: "ridden out",
  },
  {
    kind: "instance",
    stage: "boot",
    fault: "still booting when the time is over",
    tiny: { stack: { bootTimeoutMinutes: 10 } },
    inject: trouble({ kind: "stuck-booting" }),
    outcome: "told",
    message: /is still booting after 10 min \(bootTimeoutMinutes\)\. .*run `up` again to keep waiting, or `destroy`/,
    after: (world) => world.instanceId(),
  },
  {
    kind: "instance",
    stage: "boot",
    fault: "never gets an address",
    tiny: { stack: { bootTimeoutMinutes: 40 } },
    inject: trouble({ kind: "no-ip" }),
    outcome: "told",
    message: /is still active without an address after 40 min \(bootTimeoutMinutes\)/,
    after: (world) => world.instanceId(),
  },
  {
    kind: "instance",
    stage: "boot",
    fault: "unhealthy",
    inject: trouble({ kind: "unhealthy" }),
    outcome: "told",
    message: /has been unhealthy for 5 min, and is billed\. .*replace it .* or `destroy`/,
    after: (world) => world.instanceId(),
  },
  {
    kind: "instance",
    stage: "boot",
    fault: "unhealthy for a moment",
    inject: trouble({ kind: "unhealthy" }),
    act: (world) =>
      world.during("up", async () => {
        await world.until(async () => (await world.living())[0]?.status === "unhealthy");
        await world.cloud.admin.removeAllFaults();
      }),
    outcome: "ridden out",
  },
  {
    kind: "instance",
    stage: "boot",
    fault: "terminated from outside",
    inject: trouble({ kind: "stuck-booting" }),
    act: (world) =>
      world.during("up", async (output) => {
        await world.until(() => /instance-boot creating/.test(output()));
        await world.cloud.admin.terminate(await world.instanceId());
      }),
    outcome: "told",
    message: /is (terminating|terminated|gone) instead of booting\. Run `refresh` and `up` to launch another/,
    heal: refreshed,
  },
  {
    kind: "instance",
    stage: "boot",
    fault: "preempted",
    inject: async (world) => {
      // Without an address it is active, and yet not booted for us.
      await trouble({ kind: "no-ip" })(world);
      await trouble({ kind: "preempted", afterSeconds: 60 })(world);
    },
    outcome: "told",
    message: /is preempted instead of booting\. Run `refresh` and `up` to launch another/,
    heal: refreshed,
  },
  {
    kind: "instance",
    stage: "connect",
    fault: "another host key than ours",
    inject: trouble({ kind: "wrong-host-key" }),
    outcome: "told",
    message: /host key/i,
    after: async (world, { output }) => {
      const id = await world.instanceId();
      if (output.includes("tiny: sent") || world.memory.inHome(id, "tiny"))
        throw new Error(`Something was sent to a stranger:\n${output}`);
    },
    heal: async (world) => {
      await world.heal();
      await world.restart(await world.instanceId());
    },
    inDefault: true,
  },
  {
    kind: "instance",
    stage: "connect",
    fault: "sshd comes late",
    inject: trouble({ kind: "ssh-late", seconds: 900 }),
    outcome: "ridden out",
    message: /waiting for SSH/,
  },
  {
    kind: "instance",
    stage: "connect",
    fault: "sshd never comes",
    tiny: { stack: { bootTimeoutMinutes: 60 } },
    inject: trouble({ kind: "ssh-late", seconds: 1_000_000 }),
    outcome: "told",
    message: /No SSH login on .* within 60 s\. Last reason: /,
    after: (world) => world.instanceId(),
  },
  {
    kind: "instance",
    stage: "connect",
    fault: "restarts before sshd is there",
    inject: trouble({ kind: "ssh-late", seconds: 900 }),
    act: (world) =>
      world.during("up", async () => {
        await world.until(async () => (await world.living())[0]?.status === "active");
        await world.restart(await world.instanceId());
      }),
    outcome: "ridden out",
  },
];
