import type { FaultCase } from "../case";

export const workloadCases: readonly FaultCase[] = [];
