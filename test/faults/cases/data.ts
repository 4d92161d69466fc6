import type { FaultCase } from "../case";
import { archiveCases } from "./data-archives";
import { folderCases } from "./data-folders";
import { urlCases } from "./data-urls";

export const dataCases: readonly FaultCase[] = [...folderCases, ...archiveCases, ...urlCases];
