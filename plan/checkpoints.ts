import { posix } from "node:path";
import { resultsBucket } from "./bucket";
import type { Experiment } from "./experiment";
import type { Problem } from "./problems";
import type { StackConfig } from "./stack-config";
import type { CheckpointsPlan, RunPlan } from "./types";
import { fill } from "./workload";

/** How a later attempt resumes. @param values What placeholders in commands stand for. */
export function resumePlan(
  { resume, checkpoint }: Experiment["train"],
  values: Parameters<typeof fill>[1],
): RunPlan["resume"] {
  if (resume === undefined) return undefined;
  return resume === "auto" ? { checkpoint } : { command: fill(resume, values), checkpoint };
}

/** Where checkpoints go while training goes on. @param folder Of the stack's copies on its file system. */
export function checkpointsPlan(
  of: Pick<Experiment, "experiment" | "checkpoints" | "train" | "results" | "environment">,
  { folder, stack }: { readonly folder: string | undefined; readonly stack: string },
): CheckpointsPlan | undefined {
  const { experiment, checkpoints, train } = of;
  const { sync, everyMinutes, keep } = checkpoints;
  if (sync === "none") return undefined;
  const results = sync === "bucket" ? resultsBucket(of, stack) : undefined;
  if (results !== undefined) {
    const { home: _home, ...bucket } = { ...results, url: `${results.url}/checkpoints` };
    return { sync, everySeconds: everyMinutes * 60, keep, bucket, checkpoint: train.checkpoint };
  }
  const to = sync === "fileSystem" && folder !== undefined ? { folder: posix.join(folder, experiment) } : {};
  return { sync, everySeconds: everyMinutes * 60, keep, ...to, checkpoint: train.checkpoint };
}

/** Where copies of checkpoints go on the stack's file system. */
export function copiesFolder({ fileSystem }: StackConfig, stack: string): string | undefined {
  return fileSystem === undefined
    ? undefined
    : posix.join("/lambda/nfs", fileSystem, "lambda-train/checkpoints", stack);
}

/** What is wrong with the place of copies. */
export function copyProblems({ fileSystem }: StackConfig, { checkpoints }: Pick<Experiment, "checkpoints">): Problem[] {
  if (fileSystem !== undefined || checkpoints.sync !== "fileSystem") return [];
  const message = "the stack has no file system";
  const next = "Set lambda-train:fileSystem, or sync: home";
  return [{ field: "checkpoints.sync", value: "fileSystem", message, next }];
}
