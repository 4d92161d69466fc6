import type { FaultCase } from "../case";
import { bootCases } from "./instance/boot";
import { endCases } from "./instance/end";
import { lossCases } from "./instance/loss";
import { machineCases } from "./instance/machine";

/** Faults of the rented instance itself. */
export const instanceCases: readonly FaultCase[] = [...bootCases, ...machineCases, ...lossCases, ...endCases];
