import type { World } from "../../world";

/** The faults go, and a refresh sees what they left: what is gone leaves the state. */
export async function refreshed(world: World): Promise<void> {
  await world.heal();
  await world.fine(world.refresh());
}

/** The faults go with the machine that has them: docs/troubleshooting.md says to replace it. */
export async function replaced(world: World): Promise<void> {
  await world.heal();
  await world.fine(world.replaceInstance());
}
