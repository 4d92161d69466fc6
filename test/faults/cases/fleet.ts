import type { FaultCase } from "../case";
import { fleetEndCases } from "./fleet/end";
import { halfCases } from "./fleet/half";
import { lostCases } from "./fleet/lost";
import { splitCases } from "./fleet/split";

/** Faults that only a stack of several machines can meet. */
export const fleetCases: readonly FaultCase[] = [...halfCases, ...lostCases, ...splitCases, ...fleetEndCases];
