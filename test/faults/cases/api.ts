import type { FaultCase } from "../case";
import { accountCases } from "./api/account";
import { callCases } from "./api/calls";
import { capacityCases } from "./api/capacity";

/** Faults of Lambda's API. */
export const apiCases: readonly FaultCase[] = [...callCases, ...accountCases, ...capacityCases];
