import type { Experiment } from "./experiment";
import type { Problem } from "./problems";
import type { StackConfig } from "./stack-config";

/** What doesn't go together with a container image. */
export function containerProblems({ endpoint }: StackConfig, { environment, train }: Experiment): Problem[] {
  const { image, manager } = environment;
  if (image === undefined) return [];
  const problems: Problem[] = [];
  if (endpoint === "emulated") {
    const message = "the emulated cloud's instances have no Docker";
    const next = "Use a stack file for Lambda, or leave environment.image out here";
    problems.push({ field: "environment.image", value: image, message, next });
  }
  if (manager !== "auto" && manager !== "none") {
    const message = "the image is the environment, and the stack makes no other one in it";
    const next = "Leave environment.manager out, and install what the image lacks in environment.setup";
    problems.push({ field: "environment.manager", value: manager, message, next });
  }
  for (const name of ["file", "extras", "groups"] as const) {
    if (environment[name] === undefined) continue;
    const message = "it is for an environment that the stack makes, and environment.image names a ready one";
    const next = "Leave it out, and install what the image lacks in environment.setup";
    problems.push({ field: `environment.${name}`, value: environment[name], message, next });
  }
  if (environment.cache === "fileSystem") {
    const message = "it is for an environment that the stack makes, and environment.image names a ready one";
    problems.push({ field: "environment.cache", value: environment.cache, message, next: "Leave it out" });
  }
  if (train.cluster !== undefined) {
    const message = "a Ray cluster is started outside of containers";
    const next = "Leave environment.image out, or start Ray in train.command";
    problems.push({ field: "train.cluster", value: train.cluster, message, next });
  }
  return problems;
}
