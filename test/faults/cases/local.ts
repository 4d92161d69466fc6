import type { FaultCase } from "../case";

export const localCases: readonly FaultCase[] = [];
