import { randomUUID } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { GitError, type GitOptions, git, gitOrNone } from "./command";

/** Branches and tags: a remote may have a hundred thousand refs more, of every pull request. */
const refspecs = ["+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"];

/** Seconds in which a remote must answer a question, and in which a whole repository must have arrived. */
const answerSeconds = 120;
const fetchSeconds = 2 * 3600;

/** Settings under which git asks nobody anything, and gives up on a remote that says nothing more. */
const patience = ["-c", "http.lowSpeedLimit=1", "-c", "http.lowSpeedTime=120", "-c", "core.hooksPath=/dev/null"];

/** How ssh is called: it fails where it would ask about a host, for a password, or for a key's passphrase. */
function overNetwork(seconds: number): GitOptions {
  const { GIT_SSH, GIT_SSH_COMMAND } = process.env;
  const asked = GIT_SSH_COMMAND ?? (GIT_SSH === undefined ? gitOrNone("/", ["config", "core.sshCommand"]) : undefined);
  // Another program than ssh, by GIT_SSH, may know none of these words.
  const isOther = GIT_SSH !== undefined && GIT_SSH_COMMAND === undefined;
  const words = "-o BatchMode=yes -o ConnectTimeout=30 -o ServerAliveInterval=15 -o ServerAliveCountMax=4";
  return { seconds, variables: isOther ? {} : { GIT_SSH_COMMAND: `${asked ?? "ssh"} ${words}` } };
}

/**
 * Brings branches, tags and the default branch of a URL into a mirror, as they are there now. A mirror that is damaged is
 * made anew.
 * @throws GitError when the URL can't be reached
 */
export function update(url: string, mirror: string): void {
  const head = defaultBranch(url);
  if (!existsSync(mirror)) {
    renew(url, mirror, head);
    return;
  }
  try {
    untilUnlocked(() => fetchInto(mirror, url, head));
  } catch (error) {
    if (!(error instanceof GitError)) throw error;
    // The remote has just answered, so the mirror may be at fault: a lock that a killed git left, an object cut short.
    renew(url, mirror, head);
  }
}

/** Makes a mirror anew, in place of the one that may be there. */
export function renew(url: string, mirror: string, head = defaultBranch(url)): void {
  mkdirSync(dirname(mirror), { recursive: true });
  const fresh = mkdtempSync(`${mirror}.`);
  try {
    git(fresh, ["init", "--quiet", "--bare", "--template="]);
    fetchInto(fresh, url, head);
    putInPlace(fresh, mirror);
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
}

/** Renames a new folder to a name that may be taken: by an older one, or at this moment by another process. */
export function putInPlace(fresh: string, folder: string): void {
  const old = `${folder}.${randomUUID()}`;
  try {
    renameSync(folder, old);
  } catch {
    // There is none, or another process has just moved it.
  }
  try {
    renameSync(fresh, folder);
  } catch (error) {
    if (!existsSync(folder)) throw error;
  }
  rmSync(old, { recursive: true, force: true });
}

/** What HEAD is at a URL: a branch, or a commit where it is none; undefined for a repository without commits. */
function defaultBranch(url: string): string | undefined {
  const answer = git("/", [...patience, "ls-remote", "--symref", "--", url, "HEAD"], overNetwork(answerSeconds));
  return /^ref: (\S+)\tHEAD$/m.exec(answer)?.[1] ?? /^([0-9a-f]+)\tHEAD$/m.exec(answer)?.[1];
}

function fetchInto(mirror: string, url: string, head: string | undefined): void {
  fetch(mirror, url, refspecs);
  if (head?.startsWith("refs/")) git(mirror, ["symbolic-ref", "HEAD", head]);
  else if (head !== undefined) git(mirror, ["update-ref", "--no-deref", "HEAD", head]);
}

function fetch(mirror: string, url: string, refs: readonly string[]): void {
  const words = ["fetch", "--quiet", "--prune", "--no-tags", "--no-recurse-submodules", "--", url, ...refs];
  git(mirror, [...patience, ...words], overNetwork(fetchSeconds));
}

/** Two commands may update one mirror at a time: git's locks are short. */
function untilUnlocked(work: () => void): void {
  for (let tries = 1; ; tries++) {
    try {
      work();
      return;
    } catch (error) {
      if (tries === 5 || !(error instanceof GitError) || !/lock/i.test(error.message)) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 500);
    }
  }
}

/** Whether a ref can only ever lead to one commit. */
export function isCommit(ref: string): boolean {
  return /^([0-9a-f]{40}|[0-9a-f]{64})$/.test(ref);
}

/** The commit to which a ref of the mirror leads; undefined where there is no such ref. */
export function resolve(mirror: string, ref: string): string | undefined {
  if (!existsSync(mirror)) return undefined;
  return gitOrNone(mirror, ["rev-parse", "--verify", "--quiet", "--end-of-options", `${ref}^{commit}`]);
}

/** The same for what no branch or tag leads to: a commit, or another ref by its full name, such as a pull request's. */
export function resolveElsewhere(url: string, mirror: string, ref: string): string | undefined {
  if (!isCommit(ref) && !ref.startsWith("refs/")) return undefined;
  try {
    fetch(mirror, url, [`+${ref}:${isCommit(ref) ? `refs/asked/${ref}` : ref}`]);
  } catch (error) {
    if (error instanceof GitError) return undefined;
    throw error;
  }
  return resolve(mirror, ref);
}

/** The branch or tag that a ref names, in short; that of HEAD where none is given. */
export function nameOf(mirror: string, ref: string | undefined): string | undefined {
  if (ref === undefined) return gitOrNone(mirror, ["symbolic-ref", "--quiet", "--short", "HEAD"]);
  const full = gitOrNone(mirror, ["rev-parse", "--symbolic-full-name", "--end-of-options", ref])?.split("\n").at(-1);
  return full?.startsWith("refs/") ? full.replace(/^refs\/(heads|tags)\//, "") : undefined;
}

/** Names of all branches and tags. */
export function names(mirror: string): string[] {
  const all = gitOrNone(mirror, ["for-each-ref", "--format=%(refname:lstrip=2)", "refs/heads", "refs/tags"]) ?? "";
  return all.split("\n").filter((name) => name !== "");
}

/** The folder of a URL's mirror in the cache. */
export function mirrorIn(cache: string, key: string): string {
  return join(cache, "workloads", key, "mirror.git");
}
