import { createHash } from "node:crypto";
import { join } from "node:path";
import { isUnder, normalizePaths } from "../folder/manifest";
import { git, gitOrNone, orLocalError, parts } from "./command";
import { belongsToRepository, withListing } from "./listing";
import { withoutCredentials } from "./url";

/** A repository that knows of a workload's folder, or of one inside it. */
export interface Repository {
  /** Its place in the workload; empty for the workload itself. */
  readonly path: string;
  /** The folder that becomes its working tree: its top, or the subfolder that the workload is. */
  readonly folder: string;
  readonly commit: string;
  /** The branch that is checked out. */
  readonly branch?: string;
  /** Name and address of the remote, without credentials. */
  readonly remote?: { readonly name: string; readonly url: string };
}

/** What a workload's folder is a state of. */
export interface Origin {
  readonly commit?: string;
  /** Branch, or tag of a commit that is checked out without a branch. */
  readonly ref?: string;
  /** Whether files differ from the commit. */
  readonly changed?: boolean;
  /** Tells one state of all the folder's repositories from another, whatever their files hold. */
  readonly key: string;
}

/**
 * What a folder is a state of, as far as a repository knows.
 * @param leftOut Paths that are not code.
 * @param places Its repositories, where they are known.
 * @throws LocalReadError where git can't tell
 */
export async function originOf(
  folder: string,
  leftOut: readonly string[],
  places?: readonly string[],
): Promise<Origin> {
  const all = described(folder, places ?? (await placesIn(folder, leftOut)));
  return orLocalError(folder, () => {
    const own = all.find(({ path }) => path === "");
    const known = all.map(({ path, commit, branch, remote, folder: at }) => {
      const described = gitOrNone(at, ["describe", "--tags", "--long", "HEAD"]) ?? null;
      return [path, commit, branch ?? null, remote ?? null, described];
    });
    const key = createHash("sha256").update(JSON.stringify(known)).digest("hex");
    if (own === undefined) return { key };
    const { commit, branch } = own;
    const ref = branch ?? gitOrNone(folder, ["describe", "--tags", "--exact-match", "HEAD"]);
    return { commit, ref, changed: changedIn(folder, leftOut).length > 0, key };
  });
}

/**
 * The repositories of a workload that have a commit, submodules and other clones inside included.
 * @throws LocalReadError where git can't tell
 */
export async function repositoriesIn(root: string, leftOut: readonly string[]): Promise<Repository[]> {
  return described(root, await placesIn(root, leftOut));
}

function described(root: string, places: readonly string[]): Repository[] {
  return places.flatMap((path) => orLocalError(join(root, path), () => describe(path, join(root, path))) ?? []);
}

/** Places of a workload's repositories in it; the empty one is the workload itself. */
async function placesIn(root: string, leftOut: readonly string[]): Promise<string[]> {
  const found: string[] = [];
  const visit = async (path: string): Promise<void> => {
    const folder = join(root, path);
    const isOne = orLocalError(folder, () => belongsToRepository(folder));
    if (isOne) found.push(path);
    const inside = await withListing(folder, async ({ repositories }) => repositories, isOne);
    for (const each of inside.map((below) => (path === "" ? below : `${path}/${below}`))) {
      if (!isUnder(each, normalizePaths(leftOut))) await visit(each);
    }
  };
  await visit("");
  return found;
}

function describe(path: string, folder: string): Repository | undefined {
  const commit = gitOrNone(folder, ["rev-parse", "--verify", "--quiet", "HEAD^{commit}"]);
  if (commit === undefined) return undefined;
  const branch = gitOrNone(folder, ["symbolic-ref", "--quiet", "--short", "HEAD"]);
  return { path, folder, commit, branch, remote: remoteOf(folder, branch) };
}

/** The remote of the branch, or the only one, or the one that has the usual name. */
function remoteOf(folder: string, branch: string | undefined): Repository["remote"] {
  const names = (gitOrNone(folder, ["remote"]) ?? "").split("\n").filter((name) => name !== "");
  if (names.length === 0) return undefined;
  const ofBranch = branch === undefined ? undefined : gitOrNone(folder, ["config", `branch.${branch}.remote`]);
  const usual = names.includes("origin") ? "origin" : names[0];
  const name = ofBranch !== undefined && names.includes(ofBranch) ? ofBranch : usual;
  const url = name === undefined ? undefined : gitOrNone(folder, ["config", `remote.${name}.url`]);
  return name === undefined || url === undefined ? undefined : { name, url: withoutCredentials(url) };
}

/** Paths in a folder, relative to the top of its repository, that differ from the commit: two letters of git's, and a path. */
export function changedIn(folder: string, leftOut: readonly string[] = []): string[] {
  const but = normalizePaths(leftOut).map((path) => `:(exclude,literal)${path}`);
  const words = ["status", "--porcelain=v1", "-z", "--no-renames", "--untracked-files=normal"];
  return parts(git(folder, [...words, "--ignore-submodules=untracked", "--", ".", ...but], { seconds: 600 }));
}
