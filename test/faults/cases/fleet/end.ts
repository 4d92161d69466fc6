import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import type { FaultCase } from "../../case";
import { endless, instanceOf, twoNodes } from "../../fleet";
import { checkEmpty } from "../../invariants/empty";
import type { WrittenSeen } from "../../memory";
import { started, withBulk } from "../../moments";
import { experiment, type World } from "../../world";

/** What was there when the end was cut. */
const before = new WeakMap<World, readonly WrittenSeen[]>();

/** `down` while the results of rank 1 alone go to a disk that is too small. Needs root. */
const withFullDisk: FaultCase["act"] = async (world) => {
  const disk = join(world.project.folder, "results", world.project.stack, "rank.1");
  mkdirSync(disk, { recursive: true });
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", disk]);
  try {
    return await world.down();
  } finally {
    execFileSync("umount", ["--lazy", disk]);
  }
};

/** A fleet that comes to its end by parts. */
export const fleetEndCases: readonly FaultCase[] = [
  {
    kind: "fleet",
    stage: "terminate",
    fault: "the CLI is killed in the middle of the end",
    tiny: endless,
    before: started,
    inject: ({ cloud }) =>
      cloud.admin.addApiFault({ match: { operation: "terminateInstance" }, times: 2, action: { delayMs: 2000 } }),
    act: async (world) => {
      const ended = await world.killWhen((output) => /Instance (machine-2-)?instance-vm deleting/.test(output), {
        command: "destroy",
      });
      before.set(world, world.memory.written);
      return ended;
    },
    outcome: "killed",
    after: async (world) => {
      await world.fine(world.down());
      const written = before.get(world) ?? [];
      expect(written.map(({ experiment: name }) => name)).toEqual(
        expect.arrayContaining([`${experiment}-t0`, `${experiment}-t1`]),
      );
      await checkEmpty(world, written);
    },
  },
  {
    kind: "fleet",
    stage: "download",
    fault: "the disk is too small for the results of one machine",
    tiny: twoNodes,
    before: async (world) => {
      withBulk(world, "tiny/model.bin", 3_000_000);
      const copy = 'import shutil\nshutil.copy("model.bin", out / "model.bin")\nsignal.signal(';
      world.project.write("tiny/train.py", world.project.read("tiny/train.py").replace("signal.signal(", copy));
      await started(world);
    },
    inject: async () => {},
    act: withFullDisk,
    outcome: "told",
    message: /The results need .* more, but the disk of .* has .* free\. Make room, or set results\.directory/,
    after: async (world) => {
      const living = (await world.living()).map(({ id }) => id);
      expect(living).toEqual([instanceOf(world, "machine-2")]);
      const folder = join("results", world.project.stack, experiment);
      expect((await world.project.run("results", ["--verify", folder])).code).toBe(0);
    },
    heal: async (world) => {
      await world.fine(world.down());
      const folder = join("results", world.project.stack, "rank.1", experiment);
      expect((await world.project.run("results", ["--verify", folder])).code).toBe(0);
      await world.heal();
    },
    needsRoot: true,
  },
];
