import type { FaultCase } from "../case";

export const dataCases: readonly FaultCase[] = [];
