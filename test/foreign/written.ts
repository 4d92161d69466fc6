import { readFileSync } from "node:fs";
import { join, posix } from "node:path";
import { expect } from "vitest";
import type { ForeignCase } from "./case";
import { type Disk, filesBelow, matching } from "./files";

/** What is in the home folder of every instance. */
const ofInstances = [".lambda-train/**", ".ssh/**", ".bashrc", ".profile", ".bash_logout"];

/**
 * Reads all that must come home while it lies on the instance, by its path at home. The case must tell of every file that
 * is new in the home folder there.
 */
export function writtenBy(one: ForeignCase, disk: Disk, repository: string): ReadonlyMap<string, Buffer> {
  const found = new Map<string, Buffer>();
  const told = new Set(ofInstances.flatMap((pattern) => matching(pattern, disk.files(""))));
  const without: string[] = [];
  for (const { from, to, files } of one.home) {
    for (const pattern of files) {
      const paths = matching(pattern, disk.files(from));
      if (paths.length === 0) without.push(posix.join(from, pattern));
      for (const path of paths) {
        told.add(posix.join(from, path));
        found.set(posix.join(to, path), readFileSync(disk.at(posix.join(from, path))));
      }
    }
  }
  for (const pattern of one.stays) {
    const paths = matching(pattern, posix.isAbsolute(pattern) ? below(disk, posix.dirname(pattern)) : disk.files(""));
    if (paths.length === 0) without.push(pattern);
    for (const path of paths) told.add(path);
  }
  expect(without, "must be there on the instance").toEqual([]);
  const unchanged = filesBelow(repository)
    .filter((path) => sameContent(join(repository, path), disk.at(posix.join(one.name, path))))
    .map((path) => posix.join(one.name, path));
  const rest = disk.files("").filter((path) => !told.has(path) && !unchanged.includes(path));
  expect(rest, "written on the instance, and not known whether it must come home").toEqual([]);
  return found;
}

function below(disk: Disk, folder: string): string[] {
  return disk.files(folder).map((path) => posix.join(folder, path));
}

function sameContent(one: string, other: string): boolean {
  return readFileSync(one).equals(readFileSync(other));
}
