import { readdirSync, realpathSync } from "node:fs";
import { relative, sep } from "node:path";
import { packageFolder, projectFolder } from "../local/paths";
import { experimentsFolder } from "./found/project-files";

/**
 * Files of the project in a workload that it lies in, relative to the workload: they are no code that trains. Pulumi writes
 * to a stack's file, and a changed budget is no changed code. A clone is a project apart from its workloads.
 */
export function projectFilesIn(workload: string): string[] {
  const project = projectFolder();
  if (project === packageFolder()) return [];
  const place = relative(realpathSync(workload), realpathSync(project)).replaceAll(sep, "/");
  if (place.startsWith("..")) return [];
  if (place !== "") return [place];
  const stackFiles = readdirSync(project).filter((name) => /^Pulumi\..*\.?yaml$/.test(name));
  return [...stackFiles.sort(), experimentsFolder];
}
