import { createHash } from "node:crypto";
import { basename, posix } from "node:path";
import type { Experiment } from "./experiment";
import type { Problem } from "./problems";
import type { StackConfig } from "./stack-config";
import type { DatasetPlan, EnvironmentPlan } from "./types";

/** What is wrong with what is to be kept on the stack's file system. */
export function cacheProblems({ fileSystem }: StackConfig, { dataset, environment }: Experiment): Problem[] {
  const value = "fileSystem";
  const cached = [
    ...(dataset?.cache === value ? ["dataset.cache"] : []),
    ...(environment.cache === value ? ["environment.cache"] : []),
  ];
  const message = "the stack has no file system";
  const next = "Name one in the stack file (`pulumi config set lambda-train:fileSystem <name>`), or set it to none";
  const problems: Problem[] = fileSystem === undefined ? cached.map((field) => ({ field, value, message, next })) : [];
  if (dataset?.cache === value && dataset.source.startsWith("lambda-fs://")) {
    const there = `the dataset ${dataset.source} lies on a file system already`;
    problems.push({ field: "dataset.cache", value, message: there, next: "Leave it out" });
  }
  if (environment.cache === value && environment.setup !== null) {
    problems.push({
      field: "environment.cache",
      value,
      message: `the setup command (${environment.setup.split("\n", 1)[0]}) writes where it wants, and can't be kept for other machines`,
      next: "Set environment.setup to null where the environment's file names all that training needs, or leave environment.cache out",
    });
  }
  if (environment.cache === value && (environment.manager === "none" || environment.activate !== undefined)) {
    problems.push({
      field: "environment.cache",
      value,
      message: "the stack makes no environment here (environment.manager is none, or environment.activate names one)",
      next: "Leave environment.cache out",
    });
  }
  return problems;
}

/** Where a dataset lies for all machines: by its content, and by what of the target decides how an archive is laid out. */
export function datasetCache(
  { source, hash, target, splits }: DatasetPlan,
  { dataset }: Experiment,
  fileSystem: string | undefined,
): Pick<DatasetPlan, "cache"> {
  if (dataset?.cache !== "fileSystem" || fileSystem === undefined) return {};
  const key = source.kind === "folder" ? hash : sha256([hash, basename(target), splits]);
  return { cache: posix.join(folderOn(fileSystem), "datasets", key) };
}

/** Below which folder environments lie for all machines, and the hash of one that is made there. */
export function environmentCache(
  { hash }: EnvironmentPlan,
  { environment }: Experiment,
  fileSystem: string | undefined,
): Partial<EnvironmentPlan> {
  if (environment.cache !== "fileSystem" || fileSystem === undefined) return {};
  const cache = posix.join(folderOn(fileSystem), "environments");
  // Made in another place, it is another one.
  return { cache, hash: sha256([hash, cache]) };
}

function sha256(value: unknown): string {
  return createHash("sha256").update(JSON.stringify(value)).digest("hex");
}

function folderOn(fileSystem: string): string {
  return `/lambda/nfs/${fileSystem}/lambda-train`;
}
