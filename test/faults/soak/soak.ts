import { setTimeout as sleep } from "node:timers/promises";
import { checkEmpty } from "../invariants/empty";
import type { Pool } from "../pool";
import type { SoakFigures } from "../report";
import type { World } from "../world";
import { type Round, roundsOf, type SoakCommand, strike } from "./round";

/** More than a lane gets through in an hour. */
const mostRounds = 500;

/**
 * Combines faults at random for a time: each round lets one to three strike, runs commands through them, lets them pass,
 * and must then come up and go down like any other. @throws Error that names seed and round
 */
export async function soak(pool: Pool, lanes: number, seed: number, minutes: number): Promise<SoakFigures> {
  const rounds = roundsOf(seed, mostRounds);
  const deadline = Date.now() + minutes * 60_000;
  const faults: Record<string, number> = {};
  let next = 0;
  let commands = 0;
  const lane = async (): Promise<void> => {
    while (Date.now() < deadline) {
      const number = next++;
      const round = rounds[number];
      if (round === undefined) return;
      try {
        await pool.use((world) => runRound(world, round));
      } catch (error) {
        const what = `Soak with seed ${seed}, round ${number}: ${JSON.stringify(round)}`;
        throw new Error(`${what}\n${(error as Error).message}`, { cause: error });
      }
      for (const { name } of round.faults) faults[name] = (faults[name] ?? 0) + 1;
      // The last two are the `up` and `down` after the faults.
      commands += round.commands.length + 2;
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  const sorted = Object.fromEntries(Object.entries(faults).sort(([a], [b]) => (a < b ? -1 : 1)));
  return { seed, minutes, rounds: Object.values(faults).length === 0 ? 0 : next, commands, faults: sorted };
}

async function runRound(world: World, { faults, commands }: Round): Promise<void> {
  await world.prepare();
  world.combined = true;
  try {
    for (const fault of faults) await strike(world, fault);
    for (const command of commands) await runCommand(world, command);
  } finally {
    world.combined = false;
  }
  await world.heal();
  const healed = await world.up("--refresh");
  world.tally.hold("again", healed.code === 0, () => `The next up:\n${healed.output}`);
  const down = await world.down();
  world.tally.hold("empty", down.code === 0, () => `down:\n${down.output}`);
  await checkEmpty(world, world.memory.written);
}

async function runCommand(world: World, command: SoakCommand): Promise<unknown> {
  switch (command.run) {
    case "up":
      return world.up();
    case "refreshed up":
      return world.up("--refresh");
    case "down":
      return world.down();
    case "killed":
      return world.killAfter(command.afterMs, { command: command.command, family: command.family });
    case "up on a restarting instance":
      return world.during("up", async () => {
        await sleep(command.afterMs);
        const [instance] = await world.living();
        if (instance !== undefined) await world.restart(instance.id);
      });
  }
}
