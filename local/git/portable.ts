import { lstatSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { isUnder, normalizePaths } from "../folder/manifest";
import { git, gitOrNone, parts } from "./command";
import { type Packed, packCommit, type Ref } from "./pack";
import { changedIn, type Repository } from "./repository";

/** What of a workload is not as the repository has it, when it is on an instance. */
export interface There {
  /** Paths in the workload that are not code: what the repository tracks there doesn't go along. */
  readonly leftOut: readonly string[];
  /** Paths in the workload that others take the place of. */
  readonly replaced: readonly string[];
}

/** A file as the index on the instance has it. */
interface IndexEntry {
  readonly path: string;
  /** As git prints it: octal. */
  readonly mode: string;
  readonly object: string;
  readonly stage: number;
  /** Whether the file is as the index has it. */
  readonly same: boolean;
  /** Whether the file isn't there, and nobody misses it. */
  readonly skip: boolean;
}

/** Settings by which git compares files. Nothing else of the user's settings goes along. */
const comparing = ["core.fileMode", "core.autocrlf", "core.eol", "core.symlinks"];

/**
 * Writes a small repository that knows what the workload's folder is: its commit, the tags in its history, the address of
 * its remote, and what is changed. `git/` is it, but for the index; `index.jsonl` has that, a line a file: on the instance
 * files have other times.
 * @throws GitError where git can't read what is needed
 */
export function writePortable(repository: Repository, into: string, there: There): void {
  const { folder, commit, branch } = repository;
  const notCode = normalizePaths(there.leftOut);
  const isLeftOut = (path: string): boolean => isUnder(inWorkload(repository, path), notCode);
  const packed = packCommit(folder, commit, join(into, "git/objects/pack"), isLeftOut);
  const write = (path: string, text: string): void => {
    mkdirSync(dirname(join(into, path)), { recursive: true });
    writeFileSync(join(into, path), text);
  };
  mkdirSync(join(into, "git/refs"), { recursive: true });
  write("git/HEAD", branch === undefined ? `${commit}\n` : `ref: refs/heads/${branch}\n`);
  write(
    "git/packed-refs",
    packedRefs(packed, branch === undefined ? [] : [{ name: `refs/heads/${branch}`, object: commit }]),
  );
  if (packed.shallow.length > 0) write("git/shallow", `${packed.shallow.join("\n")}\n`);
  // What the stack itself writes into a workspace.
  write("git/info/exclude", ".lambda-train/\n");
  write("git/config", "");
  configure(repository, join(into, "git/config"));
  write(
    "index.jsonl",
    indexOf(repository, there, isLeftOut)
      .map((entry) => `${JSON.stringify(entry)}\n`)
      .join(""),
  );
}

function packedRefs({ refs }: Packed, more: readonly Ref[]): string {
  const all = [...refs, ...more].sort((a, b) => (a.name < b.name ? -1 : 1));
  const lines = all.flatMap(({ name, object, peeled }) => [`${object} ${name}`, ...(peeled ? [`^${peeled}`] : [])]);
  return `${["# pack-refs with: peeled fully-peeled sorted ", ...lines].join("\n")}\n`;
}

function configure({ folder, commit, remote }: Repository, file: string): void {
  const set = (name: string, value: string): void => {
    git(folder, ["config", "--file", file, name, value]);
  };
  const isSha256 = commit.length === 64;
  set("core.repositoryFormatVersion", isSha256 ? "1" : "0");
  if (isSha256) set("extensions.objectFormat", "sha256");
  set("core.bare", "false");
  for (const name of comparing) {
    const value = gitOrNone(folder, ["config", name]);
    if (value !== undefined) set(name, value);
  }
  // Old files are missing on purpose: nothing is to be packed anew.
  set("gc.auto", "0");
  set("maintenance.auto", "false");
  if (remote === undefined) return;
  set(`remote.${remote.name}.url`, remote.url);
  set(`remote.${remote.name}.fetch`, `+refs/heads/*:refs/remotes/${remote.name}/*`);
}

function indexOf(repository: Repository, { replaced }: There, isLeftOut: (path: string) => boolean): IndexEntry[] {
  const { folder } = repository;
  const prefix = git(folder, ["rev-parse", "--show-prefix"]).trimEnd();
  const changed = new Set(
    changedIn(folder).flatMap((line) => (line[1] === " " ? [] : [line.slice(3).slice(prefix.length)])),
  );
  const flags = new Map(parts(git(folder, ["ls-files", "-v", "-z"])).map((line) => [line.slice(2), line.slice(0, 1)]));
  const others = new Set(replaced);
  return parts(git(folder, ["ls-files", "--stage", "-z"])).map((line): IndexEntry => {
    const [, mode = "", object = "", stage = "0", path = ""] = /^(\d+) (\w+) (\d)\t(.*)$/s.exec(line) ?? [];
    const flag = flags.get(path) ?? "H";
    // Lower case: git is told to take it for unchanged, so that it doesn't know.
    const isKnown = flag === "H" || flag === "S";
    const same = isKnown && !changed.has(path) && !others.has(inWorkload(repository, path));
    const skip = isLeftOut(path) || (flag.toUpperCase() === "S" && isGone(join(folder, path)));
    return { path, mode, object, stage: Number(stage), same, skip };
  });
}

function inWorkload({ path: place }: Repository, path: string): string {
  return place === "" ? path : `${place}/${path}`;
}

function isGone(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) === undefined;
}
