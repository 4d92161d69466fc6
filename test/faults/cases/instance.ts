import type { FaultCase } from "../case";

export const instanceCases: readonly FaultCase[] = [];
