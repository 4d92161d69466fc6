import type { World } from "../world";

/** @throws Error where the stack rented an instance in this case, if only for a moment */
export async function expectNothingRented({ memory }: World): Promise<void> {
  if (memory.seen.size > 0) throw new Error(`Something was rented: ${[...memory.seen.keys()].join(", ")}`);
}

/** @throws Error where the stack's one living instance is another than this */
export async function expectSame(world: World, id: string): Promise<void> {
  const now = await world.instanceId();
  if (now !== id) throw new Error(`Instance ${id} was replaced by ${now}.`);
}
