import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { basename, join } from "node:path";

/** Files that are looked into are texts that a person wrote: more than this is none. */
const mostBytes = 512 * 1024;

/** A repository as it is looked at: never changed, and nothing in it is run. */
export class Repository {
  constructor(readonly folder: string) {}

  get name(): string {
    return basename(this.folder);
  }

  has(path: string): boolean {
    return existsSync(join(this.folder, path));
  }

  isFolder(path: string): boolean {
    return statSync(join(this.folder, path), { throwIfNoEntry: false })?.isDirectory() === true;
  }

  /** The first of some paths that is a file. */
  first(paths: readonly string[]): string | undefined {
    return paths.find((path) => statSync(join(this.folder, path), { throwIfNoEntry: false })?.isFile() === true);
  }

  /** Names in a folder, in order; none where there is no such folder. */
  names(path = "."): string[] {
    return this.isFolder(path) ? readdirSync(join(this.folder, path)).sort() : [];
  }

  /** A file's text; empty where there is none, or where it is no text that a person wrote. */
  text(path: string): string {
    const file = join(this.folder, path);
    const info = statSync(file, { throwIfNoEntry: false });
    return info?.isFile() === true && info.size <= mostBytes ? readFileSync(file, "utf8") : "";
  }
}
