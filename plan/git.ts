import { createHash } from "node:crypto";
import { join } from "node:path";
import { checkOut } from "../local/git/checkout";
import { GitError } from "../local/git/command";
import { isCommit, mirrorIn, nameOf, names, renew, resolve, resolveElsewhere, update } from "../local/git/mirror";
import { withoutCredentials } from "../local/git/url";
import { nearest, PlanError } from "./problems";

/** A commit on this machine. */
export interface Checkout {
  readonly folder: string;
  readonly commit: string;
  /** The branch or tag that led to it. */
  readonly ref?: string;
  /** Why the ref could not be looked up where it comes from: it may lead to a newer commit there. */
  readonly unfetched?: string;
}

/**
 * Brings a git URL at a ref into the cache and returns the folder of that commit: a clone with its submodules. Without a
 * network, what the cache holds of the ref serves, so that a preview works offline.
 * @param cache Folder of the cache.
 * @throws PlanError when the URL or ref cannot be had.
 */
export function checkout(url: string, ref: string | undefined, cache: string): Checkout {
  const mirror = mirrorOf(url, cache);
  const fixed = ref !== undefined && isCommit(ref) ? resolve(mirror, ref) : undefined;
  const { commit, unfetched } =
    fixed === undefined ? lookUp(url, ref, mirror) : { commit: fixed, unfetched: undefined };
  const folder = join(cache, "workloads", keyOf(url), "checkouts", commit);
  const holding = (wanted: string, at: string): string => mirrorHolding(wanted, at, cache);
  try {
    withWholeMirror(url, mirror, () => checkOut({ url, commit }, holding, folder));
  } catch (error) {
    if (error instanceof GitError) throw notHad(url, `commit ${commit} can't be checked out: ${error.message}`);
    throw error;
  }
  return { folder, commit, ref: nameOf(mirror, ref), unfetched };
}

/** The commit to which a ref leads now, or led when the URL was last reached. */
function lookUp(url: string, ref: string | undefined, mirror: string): Pick<Checkout, "commit" | "unfetched"> {
  let unfetched: string | undefined;
  try {
    update(url, mirror);
  } catch (error) {
    if (!(error instanceof GitError)) throw error;
    unfetched = `git can't fetch it: ${error.message}`;
  }
  const asked = ref ?? "HEAD";
  const commit = resolve(mirror, asked) ?? (unfetched === undefined ? resolveElsewhere(url, mirror, asked) : undefined);
  if (commit !== undefined) return { commit, unfetched };
  if (unfetched !== undefined) throw unreachable(url, unfetched);
  throw noSuchRef(url, ref, mirror);
}

function noSuchRef(url: string, ref: string | undefined, mirror: string): PlanError {
  const shown = withoutCredentials(url);
  if (ref === undefined) {
    const message = "its default branch (HEAD) leads to no commit";
    return new PlanError([{ field: "workload.source", value: shown, message, next: "Name a branch in workload.ref" }]);
  }
  const meant = nearest(ref.replace(/^origin\//, ""), names(mirror));
  const next = meant === undefined ? undefined : `Did you mean ${meant}?`;
  const message = `${shown} has no such branch, tag or commit`;
  return new PlanError([{ field: "workload.ref", value: ref, message, next }]);
}

/** A mirror may have lost objects, as when the power failed: it is made anew once. */
function withWholeMirror(url: string, mirror: string, work: () => void): void {
  try {
    work();
  } catch (error) {
    if (!(error instanceof GitError) || !/object|pack|corrupt|bad |unable to read/i.test(error.message)) throw error;
    try {
      renew(url, mirror);
    } catch {
      throw error;
    }
    work();
  }
}

function mirrorHolding(url: string, commit: string, cache: string): string {
  const mirror = mirrorOf(url, cache);
  if (resolve(mirror, commit) !== undefined) return mirror;
  update(url, mirror);
  if (resolve(mirror, commit) === undefined && resolveElsewhere(url, mirror, commit) === undefined) {
    throw new GitError(`${withoutCredentials(url)} has no commit ${commit}`);
  }
  return mirror;
}

function keyOf(url: string): string {
  return createHash("sha256").update(url).digest("hex").slice(0, 16);
}

function mirrorOf(url: string, cache: string): string {
  return mirrorIn(cache, keyOf(url));
}

/** The error for a URL from which nothing can be had now. */
export function unreachable(url: string, message: string): PlanError {
  return notHad(url, message, "Check the URL, the ref and your git credentials; a full commit needs no lookup");
}

function notHad(url: string, message: string, next?: string): PlanError {
  return new PlanError([{ field: "workload.source", value: withoutCredentials(url), message, next }]);
}
