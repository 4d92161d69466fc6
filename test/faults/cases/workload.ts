import type { FaultCase } from "../case";
import { evaluationCases, setupCases } from "./workload-steps";
import { trainingCases } from "./workload-training";

export const workloadCases: readonly FaultCase[] = [...setupCases, ...trainingCases, ...evaluationCases];
