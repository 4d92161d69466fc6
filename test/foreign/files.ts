import { readdirSync } from "node:fs";
import { join, posix, relative } from "node:path";
import type { Project } from "../support/project";

const homeFolder = "home/ubuntu";

/** The disk of an emulated instance, as this machine sees it. */
export class Disk {
  private readonly root: string;

  constructor(project: Project, instanceId: string) {
    this.root = join(project.folder, ".local/cloud/instances", instanceId, "root");
  }

  /** Where this machine has a path of the instance: relative to the home folder there, or absolute. */
  at(path: string): string {
    return join(this.root, posix.isAbsolute(path) ? path : join(homeFolder, path));
  }

  /** Files below a folder of the instance, links among them, relative to it. */
  files(folder: string): string[] {
    return filesBelow(this.at(folder));
  }
}

/** Files below a folder, links among them, relative to it; none if there is no such folder. */
export function filesBelow(folder: string): string[] {
  try {
    return readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => !entry.isDirectory())
      .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
      .sort();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}

/** Those of some paths that a pattern matches: `*` stands for any part of a name, `**` for any path. */
export function matching(pattern: string, paths: readonly string[]): string[] {
  const words = pattern.split(/(\*\*|\*)/).map((word) => {
    if (word === "**") return ".*";
    return word === "*" ? "[^/]*" : word.replace(/[.+?^${}()|[\]\\]/g, "\\$&");
  });
  const whole = new RegExp(`^${words.join("")}$`);
  return paths.filter((path) => whole.test(path));
}
