import type { Memory } from "./memory";
import type { Notice } from "./notice";
import { send } from "./send";
import type { Target } from "./targets";

/** A notice, and what it is known by: each target gets it once. */
export interface Told {
  readonly notice: Notice;
  /** What has happened, in words: `training has started`. */
  readonly what: string;
  readonly key: string;
}

/** Tells each target once. Calls back with what could not be sent; that is tried again at the next occasion. */
export async function tellOnce(
  { notice, what, key }: Told,
  targets: readonly Target[],
  memory: Memory,
  warn: (line: string) => void,
): Promise<void> {
  const open = targets.filter(({ events }) => notice.event !== "test" && events.includes(notice.event));
  const tellOne = async (target: Target): Promise<void> => {
    if (memory.has(key, target)) return;
    try {
      await send(target, notice);
      memory.add(key, target);
    } catch (error) {
      warn(`couldn't notify ${target.name} that ${what}: ${(error as Error).message}`);
    }
  };
  await Promise.all(open.map(tellOne));
}
