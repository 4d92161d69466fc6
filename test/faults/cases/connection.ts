import type { FaultCase } from "../case";

export const connectionCases: readonly FaultCase[] = [];
