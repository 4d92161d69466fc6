import type { Ended } from "../support/project";
import { type FaultCase, nameOf } from "./case";
import { brief } from "./figures";
import { wasKilled } from "./invariants/after";
import { checkEmpty } from "./invariants/empty";
import type { CaseFigures } from "./report";
import type { World } from "./world";

/** Runs a case in a world that is empty, and leaves it empty. @throws Error saying what is not as it must be. */
export async function runCase(fault: FaultCase, world: World): Promise<CaseFigures> {
  const started = Date.now();
  await world.prepare(fault.tiny);
  await fault.before?.(world);
  const launched = world.memory.seen.size;
  await fault.inject(world);
  const ended = await (fault.act ?? ((each: World) => each.up()))(world);
  checkOutcome(fault, ended);
  const isFree = fault.stage === "preview" || fault.stage === "check";
  if (isFree && fault.outcome === "told")
    world.tally.hold("free", world.memory.seen.size === launched, () => `Something was rented:\n${ended.output}`);
  await fault.after?.(world, ended);

  await (fault.heal ?? ((each: World) => each.heal()))(world);
  const healed = await world.up();
  world.tally.hold("again", healed.code === 0, () => `The next up:\n${healed.output}`);
  const down = await world.down();
  world.tally.hold("empty", down.code === 0, () => `down:\n${down.output}`);
  await checkEmpty(world, world.memory.written);
  return {
    kind: fault.kind,
    stage: fault.stage,
    fault: fault.fault,
    outcome: fault.outcome,
    message: brief(fault.message?.exec(ended.output)?.[0], ended.output),
    seconds: Math.round((Date.now() - started) / 1000),
  };
}

function checkOutcome(fault: FaultCase, ended: Ended): void {
  const { code, output } = ended;
  const came = wasKilled(ended) ? "killed" : code === 0 ? "ridden out" : "told";
  // A CLI that was interrupted in another way than SIGKILL ends by itself, with a status of its own.
  const fits = came === fault.outcome || (fault.outcome === "killed" && came === "told");
  if (!fits) throw new Error(`${nameOf(fault)} must be ${fault.outcome}, and was ${came}:\n${output}`);
  if (fault.message !== undefined && !fault.message.test(output))
    throw new Error(`${nameOf(fault)} must say ${fault.message}, and said:\n${output}`);
}
