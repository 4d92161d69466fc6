import { readdirSync, realpathSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { readJson } from "../local/json";
import { packageFolder, projectFolder } from "../local/paths";
import { experimentsFolder } from "./found/project-files";

/**
 * Files of the project in a workload that it lies in, relative to the workload: they are no code that trains. Pulumi writes
 * to a stack's file, npm to its own at an upgrade of the package, and neither is changed code. A clone is a project apart from
 * its workloads.
 */
export function projectFilesIn(workload: string): string[] {
  const project = projectFolder();
  if (project === packageFolder()) return [];
  const place = relative(realpathSync(workload), realpathSync(project)).replaceAll(sep, "/");
  if (place.startsWith("..")) return [];
  if (place !== "") return [place];
  const stackFiles = readdirSync(project).filter((name) => /^Pulumi\..*\.?yaml$/.test(name));
  return [...stackFiles.sort(), experimentsFolder, ...npmFilesIn(project)];
}

/** The files by which npm knows the package, where they are for nothing else. */
function npmFilesIn(project: string): string[] {
  const { dependencies, devDependencies } = (readJson(join(project, "package.json")) ?? {}) as Record<string, object>;
  const names = Object.keys({ ...dependencies, ...devDependencies });
  const isOurs = names.includes("lambda-train") && names.every((name) => /^(lambda-train$|@pulumi\/)/.test(name));
  return isOurs ? ["package.json", "package-lock.json"] : [];
}
