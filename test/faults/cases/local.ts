import type { FaultCase } from "../case";
import { homeCases } from "./local-home";
import { interruptedCases } from "./local-interrupted";
import { killedPluginCases } from "./local-plugins";

export const localCases: readonly FaultCase[] = [...interruptedCases, ...killedPluginCases, ...homeCases];
