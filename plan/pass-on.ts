import { PlanError } from "./problems";
import type { DatasetPlan } from "./types";

/** Sets from how many megabytes on a dataset is passed on. */
export const passOnVariable = "LAMBDA_TRAIN_PASS_ON_MB";

/** Below that an upload of its own to each machine takes about as long as finding out who has the dataset. */
const worthMegabytes = 256;

/**
 * Whether the machines of a fleet pass a dataset on, instead of one upload from home for each.
 * @param bytes How much of it lies at home.
 * @throws PlanError where the variable says no number
 */
export function passesOn(dataset: DatasetPlan | undefined, bytes: number, machines: number): boolean {
  const isUploaded = dataset !== undefined && ["folder", "archive"].includes(dataset.source.kind);
  if (machines === 1 || !isUploaded || dataset.cache !== undefined) return false;
  return bytes >= leastMegabytes() * 1e6;
}

function leastMegabytes(): number {
  const value = process.env[passOnVariable];
  if (value === undefined || value === "") return worthMegabytes;
  if (/^\d+(\.\d+)?$/.test(value)) return Number(value);
  const message = "must be a number of megabytes, as 256";
  throw new PlanError([{ field: passOnVariable, value, message, next: "Set it to one, or unset it" }]);
}

/** Which machine of a fleet passes the dataset on to which, by their numbers from 0. The first has it from home. */
export function giverOf(machine: number, together: boolean): number {
  // Machines of a sweep know the first alone. Those of one training know all, and each gives to two.
  return together ? (machine - 1) >> 1 : 0;
}
