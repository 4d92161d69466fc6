import { setFlagsFromString } from "node:v8";
import type { Plan } from "../../plan/types";

/** From so many machines on, memory counts for more than the time that collecting it takes. */
const many = 16;

/**
 * Collects garbage sooner where a stack has many machines: most of what a registration leaves is of no use a moment later,
 * and the heap would grow by 6 MB a machine before anybody looks.
 */
export function keepHeapSmall({ machines }: Plan): void {
  if (machines.length >= many) setFlagsFromString("--heap-growing-percent=15");
}
