import type { FaultCase } from "../case";
import { droppedCases } from "./connection-dropped";
import { hinderedCases } from "./connection-hindered";

export const connectionCases: readonly FaultCase[] = [...droppedCases, ...hinderedCases];
