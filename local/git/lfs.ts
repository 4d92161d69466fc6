import { closeSync, openSync, readSync } from "node:fs";
import { join } from "node:path";
import ignore from "ignore";
import { LocalReadError } from "../folder/local-error";
import { quotedFew } from "../folder/manifest";
import { gitOrNone, parts } from "./command";

const begin = "version https://git-lfs.github.com/spec/";

/** Whether a file is a pointer that Git LFS leaves in place of a file that it didn't fetch. False if it can't be read. */
export function isPointer(path: string, size?: number): boolean {
  if (size !== undefined && (size <= begin.length || size >= 1024)) return false;
  let file: number | undefined;
  try {
    file = openSync(path, "r");
    const bytes = Buffer.alloc(begin.length);
    return bytes.toString("latin1", 0, readSync(file, bytes)) === begin;
  } catch {
    return false;
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

/** Paths in a clone, relative to the folder, that hold pointers where files should be. */
export function pointersIn(folder: string, words: readonly string[] = []): string[] {
  const listed = gitOrNone(folder, [
    ...words,
    "ls-files",
    "-co",
    "--exclude-standard",
    "-z",
    "--",
    ":(attr:filter=lfs)",
  ]);
  return wanted(
    folder,
    parts(listed ?? "").filter((path) => isPointer(join(folder, path))),
    words,
  );
}

/** Refuses pointers in a folder: training would read them in place of the files. @throws LocalReadError that names them */
export function refusePointers(what: string, folder: string, pointers: readonly string[]): void {
  const found = wanted(folder, pointers);
  if (found.length === 0) return;
  const are = found.length === 1 ? "1 file is a Git LFS pointer" : `${found.length} files are Git LFS pointers`;
  throw new LocalReadError(
    `In the ${what} ${folder}, ${are} instead of the content: ${quotedFew(found)}. Install git-lfs and run ` +
      "`git lfs pull` there. If training doesn't need them, name them in git's setting lfs.fetchexclude.",
  );
}

/** Pointers without those that the user leaves out on purpose, by `lfs.fetchexclude`. */
function wanted(folder: string, pointers: readonly string[], words: readonly string[] = []): string[] {
  if (pointers.length === 0) return [];
  const told = (args: readonly string[]): string | undefined => gitOrNone(folder, [...words, ...args]);
  const top = told(["rev-parse", "--show-toplevel"]) ?? folder;
  const prefix = told(["rev-parse", "--show-prefix"]) ?? "";
  const shared = ["config", "--file", join(top, ".lfsconfig"), "lfs.fetchexclude"];
  const patterns = (told(["config", "lfs.fetchexclude"]) ?? told(shared) ?? "").split(",").map((text) => text.trim());
  const rules = ignore().add(patterns.filter((pattern) => pattern !== ""));
  return pointers.filter((path) => !rules.ignores(prefix + path));
}
