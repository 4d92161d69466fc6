import { mkdirSync, readFileSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { GitError, git, gitOrNone, parts } from "./command";

/** Objects and refs that go along with a commit. */
export interface Packed {
  /** Commits whose parents don't go along. */
  readonly shallow: readonly string[];
  /** Lines of git's file `packed-refs`, without its first. */
  readonly refs: readonly Ref[];
}

/** A ref, what it leads to, and the commit in the end where that is a tag object. */
export interface Ref {
  readonly name: string;
  readonly object: string;
  readonly peeled?: string;
}

/** Commits that go along at most, the newest ones. They are small: the distance to a tag needs them, and no file of theirs. */
const mostCommits = 20_000;

/** Of the commit's files those go along, as `git diff` needs them, that are no bigger, while all together are no more. */
const biggestFile = 1 << 20;
const mostBytes = 32 << 20;

/**
 * Writes a pack of what a commit needs to be known by: history without files, the tags in it, the commit's own folders, and
 * its files unless they are big.
 * @param folder The working tree; of a subfolder of a repository only what is below goes along.
 * @param isLeftOut Tells paths in the folder whose files don't go along.
 * @throws GitError where git can't
 */
export function packCommit(
  folder: string,
  commit: string,
  into: string,
  isLeftOut: (path: string) => boolean = () => false,
): Packed {
  const { commits, shallow } = history(folder, commit);
  const tags = tagsOf(folder, commit, commits);
  const prefix = git(folder, ["rev-parse", "--show-prefix"]).trimEnd().replace(/\/$/, "");
  const [top = "", tree = ""] = git(folder, ["rev-parse", `${commit}^{tree}`, `${commit}:${prefix}`]).split("\n");
  const { trees, files } = contentOf(folder, tree, isLeftOut);
  const needed = [...commits, ...tags.flatMap(({ object, peeled }) => (peeled ? [object] : [])), top, tree, ...trees];
  mkdirSync(into, { recursive: true });
  const pack = (objects: readonly string[]): void => {
    const words = ["pack-objects", "--quiet", "--threads=1", join(into, "pack")];
    git(folder, words, { input: `${[...new Set(objects)].join("\n")}\n`, seconds: 600, variables });
  };
  try {
    pack([...needed, ...files]);
  } catch (error) {
    if (!(error instanceof GitError)) throw error;
    // A partial clone may lack files.
    pack(needed);
  }
  // The working tree is a folder of the commit's: what is asked for the one gets the other.
  const moved = top === tree ? [] : [{ name: `refs/replace/${top}`, object: tree }];
  return { shallow, refs: [...tags, ...moved] };
}

/** Objects are what they are: replaced ones would not be found by their names. What a partial clone lacks stays where it is. */
const variables = { GIT_NO_REPLACE_OBJECTS: "1", GIT_NO_LAZY_FETCH: "1" };

function history(folder: string, commit: string): { commits: ReadonlySet<string>; shallow: string[] } {
  const words = ["rev-list", `--max-count=${mostCommits}`, "--parents", commit];
  const lines = git(folder, words, { seconds: 600, variables }).trimEnd().split("\n");
  const parents = lines.map((line) => line.split(" "));
  const commits = new Set(parents.map(([own = ""]) => own));
  const cutHere = parents.filter(([, ...above]) => above.some((parent) => !commits.has(parent)));
  const path = gitOrNone(folder, ["rev-parse", "--git-path", "shallow"]) ?? "";
  const cutBefore = readLines(resolve(folder, path)).filter((each) => commits.has(each));
  return { commits, shallow: [...new Set([...cutHere.map(([own = ""]) => own), ...cutBefore])] };
}

function readLines(path: string): string[] {
  try {
    return readFileSync(path, "utf8").split("\n");
  } catch {
    return [];
  }
}

/** The tags in the history that goes along. */
function tagsOf(folder: string, commit: string, commits: ReadonlySet<string>): Ref[] {
  const words = ["for-each-ref", "--merged", commit, "--format=%(refname) %(objectname) %(*objectname)", "refs/tags"];
  const lines = git(folder, words, { seconds: 600, variables }).split("\n");
  return lines.flatMap((line): Ref[] => {
    const [name = "", object = "", peeled = ""] = line.split(" ");
    if (!commits.has(peeled || object)) return [];
    return [{ name, object, ...(peeled === "" ? {} : { peeled }) }];
  });
}

/** The folders of a tree, and those of its files that are not too big. */
function contentOf(
  folder: string,
  tree: string,
  isLeftOut: (path: string) => boolean,
): { trees: string[]; files: string[] } {
  const trees: string[] = [];
  const files: { object: string; size: number }[] = [];
  for (const line of parts(git(folder, ["ls-tree", "-r", "-t", "-z", "--full-tree", tree], { seconds: 600 }))) {
    const [, kind, object = "", path = ""] = /^\d+ (\w+) (\w+)\t(.*)$/s.exec(line) ?? [];
    if (kind === "tree") trees.push(object);
    if (kind === "blob" && !isLeftOut(path)) files.push({ object, size: sizeOf(join(folder, path)) });
  }
  const small = files.filter(({ size }) => size <= biggestFile);
  const isSmall = small.reduce((sum, { size }) => sum + size, 0) <= mostBytes;
  return { trees, files: isSmall ? small.map(({ object }) => object) : [] };
}

/** Size of a file here, which tells the size of the commit's well enough. Of one that is gone: none. */
function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}
