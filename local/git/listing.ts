import { existsSync, mkdirSync, mkdtempSync, realpathSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { GitError, git, gitOrNone, parts } from "./command";
import { pointersIn } from "./lfs";

/** What git takes of a folder. */
export interface Listing {
  /** Whether the folder is in a repository that knows of it. */
  readonly isInRepository: boolean;
  /** Files and links that are tracked or not ignored, and repositories inside, relative to the folder. */
  readonly paths: readonly string[];
  /** Submodules and other clones inside that are checked out. */
  readonly repositories: readonly string[];
  /** Those of the paths that are pointers in place of files that Git LFS keeps. */
  pointers(): readonly string[];
  /** Which folders git ignores. */
  ignored(folders: readonly string[]): ReadonlySet<string>;
}

/**
 * Reads with git which files of a folder are code: by the index and by all rules, those above the folder and the user's own
 * included. A folder that belongs to no repository is read by the same rules. `read` gets the listing.
 * @throws GitError where git can't tell: a damaged repository, or one of another user
 */
export async function withListing<T>(
  folder: string,
  read: (listing: Listing) => Promise<T>,
  isInRepository = belongsToRepository(folder),
): Promise<T> {
  if (isInRepository) return read(list(folder));
  const empty = emptyRepository();
  try {
    return await read(list(folder, empty));
  } finally {
    rmSync(empty, { recursive: true, force: true });
  }
}

/**
 * Whether a folder is in a repository that knows of it. A folder that the repository around it ignores has nothing to do
 * with it, such as a project in a home folder whose settings are in git.
 * @throws GitError where there is one that git can't read
 */
export function belongsToRepository(folder: string): boolean {
  const top = topOf(folder);
  if (top === undefined) return false;
  if (top === realpathSync(folder)) return true;
  const isIgnored = gitOrNone(folder, ["check-ignore", "--quiet", "--no-index", "."]) !== undefined;
  return !isIgnored || git(folder, ["ls-files", "-z"]) !== "";
}

/** The top folder of the repository that a folder lies in; undefined where it lies in none. */
export function topOf(folder: string): string | undefined {
  try {
    return realpathSync(git(folder, ["rev-parse", "--show-toplevel"]).replace(/\n$/, ""));
  } catch (error) {
    if (!(error instanceof GitError) || !/not a git repository|must be run in a work tree/.test(error.message))
      throw error;
    if (!hasGit(folder)) return undefined;
    throw error;
  }
}

/** Whether there is a `.git` in a folder, or above it on the same disk. */
function hasGit(folder: string): boolean {
  const disk = statSync(folder).dev;
  for (let at = realpathSync(folder); statSync(at).dev === disk; at = dirname(at)) {
    if (existsSync(join(at, ".git"))) return true;
    if (dirname(at) === at) break;
  }
  return false;
}

/** @param empty The repository by which a folder is read that belongs to none. */
function list(folder: string, empty?: string): Listing {
  const words = empty === undefined ? [] : [`--git-dir=${empty}`, `--work-tree=${folder}`];
  const lines = parts(git(folder, [...words, "ls-files", "-cost", "--exclude-standard", "-z"], { seconds: 600 }));
  // Of a path that the index has: a letter, its mode, its object and its stage before a tab. Of another: `? `.
  const all = lines.map((line) => line.slice(line.startsWith("? ") ? 2 : line.indexOf("\t") + 1).replace(/\/$/, ""));
  const mayBeRepository = (line: string): boolean => /^(\S 160000 |\? .*\/$)/s.test(line);
  const folders = all.filter((_, i) => mayBeRepository(lines[i] ?? ""));
  return {
    isInRepository: empty === undefined,
    paths: [...new Set(all)],
    repositories: [...new Set(folders)].filter((path) => existsSync(join(folder, path, ".git"))).sort(),
    pointers: () => pointersIn(folder, words),
    ignored: (folders) => {
      if (folders.length === 0) return new Set();
      const input = folders.map((path) => `./${path}/\0`).join("");
      return new Set(checked(folder, words, input).map((path) => path.replace(/^\.\/|\/$/g, "")));
    },
  };
}

function checked(folder: string, words: readonly string[], input: string): string[] {
  try {
    return parts(git(folder, [...words, "check-ignore", "--no-index", "-z", "--stdin"], { input }));
  } catch (error) {
    // Status 1, without a word: none is ignored.
    if (error instanceof GitError && error.message.endsWith("status 1")) return [];
    throw error;
  }
}

/** A repository that holds nothing, for the rules that hold without one. */
function emptyRepository(): string {
  const folder = mkdtempSync(join(tmpdir(), "lambda-train-rules-"));
  for (const name of ["objects", "refs"]) mkdirSync(join(folder, name));
  writeFileSync(join(folder, "HEAD"), "ref: refs/heads/main\n");
  return folder;
}
