import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { localEnvironment } from "../local/command";
import { PlanError } from "./problems";

const gitUrl = /^(https?|ssh|git|file):\/\/|^[\w.-]+@[\w.-]+:|\.git$/;

/** Whether a workload's source is a git URL rather than a folder. */
export function isGitUrl(source: string): boolean {
  return gitUrl.test(source);
}

/** A commit on this machine. */
export interface Checkout {
  readonly folder: string;
  readonly commit: string;
  /** Why the ref could not be looked up where it comes from: it may lead to a newer commit there. */
  readonly unfetched?: string;
}

function git(args: readonly string[]): string {
  // No terminal: a private repository without credentials must fail, not wait for a password.
  const env = { ...localEnvironment(), GIT_TERMINAL_PROMPT: "0" };
  return execFileSync("git", args, {
    encoding: "utf8",
    env,
    stdio: ["ignore", "pipe", "pipe"],
    maxBuffer: 1 << 26,
  }).trim();
}

/**
 * Brings a git URL at a ref into the cache and returns the folder of that commit. Without a network, what the cache
 * holds of the ref serves, so that a preview works offline.
 * @param cache Folder of the cache.
 * @throws PlanError when the URL or ref cannot be had.
 */
export function checkout(url: string, ref: string | undefined, cache: string): Checkout {
  const key = createHash("sha256").update(url).digest("hex").slice(0, 16);
  const mirror = join(cache, "workloads", key, "mirror.git");
  let unfetched: string | undefined;
  if (!existsSync(mirror)) {
    const fresh = `${mirror}.${process.pid}`;
    mkdirSync(join(mirror, ".."), { recursive: true });
    try {
      git(["clone", "--quiet", "--mirror", "--", url, fresh]);
      renameSync(fresh, mirror);
    } catch (error) {
      rmSync(fresh, { recursive: true, force: true });
      if (!existsSync(mirror)) throw unreachable(url, `git can't clone it: ${saidBy(error)}`);
    }
  } else if (ref === undefined || !isCommit(ref) || resolve(mirror, ref) === undefined) {
    try {
      git(["-C", mirror, "fetch", "--quiet", "--prune", "origin"]);
    } catch (error) {
      unfetched = `git can't fetch it: ${saidBy(error)}`;
      if (ref === undefined || resolve(mirror, ref) === undefined) throw unreachable(url, unfetched);
    }
  }
  const commit = resolve(mirror, ref ?? "HEAD");
  if (commit === undefined) {
    throw new PlanError([
      { field: "workload.ref", value: ref, message: `${withoutUser(url)} has no such branch, tag or commit` },
    ]);
  }
  const folder = join(cache, "workloads", key, commit);
  if (!existsSync(folder)) {
    const fresh = `${folder}.${process.pid}`;
    mkdirSync(fresh, { recursive: true });
    git(["-C", mirror, "--work-tree", fresh, "checkout", "--quiet", "--force", commit, "--", "."]);
    try {
      renameSync(fresh, folder);
    } catch (error) {
      rmSync(fresh, { recursive: true, force: true });
      if (!existsSync(folder)) throw error;
    }
  }
  return { folder, commit, unfetched };
}

/** The error for a URL from which nothing can be had now. */
export function unreachable(url: string, message: string): PlanError {
  const next = "Check the URL, the ref and your git credentials; a full commit in workload.ref needs no look";
  return new PlanError([{ field: "workload.source", value: withoutUser(url), message, next }]);
}

/** Whether a ref can only ever lead to one commit. */
function isCommit(ref: string): boolean {
  return /^[0-9a-f]{40}$/.test(ref);
}

/** The last line of what git said when it failed. */
function saidBy(error: unknown): string {
  const stderr = String((error as { stderr?: unknown }).stderr ?? "");
  return withoutUser(stderr.trim().split("\n").at(-1) ?? "");
}

function resolve(mirror: string, ref: string): string | undefined {
  try {
    return git(["-C", mirror, "rev-parse", "--verify", "--quiet", "--end-of-options", `${ref}^{commit}`]);
  } catch {
    return undefined;
  }
}

/** A text without user names and tokens in its URLs, to be shown. */
export function withoutUser(text: string): string {
  return text.replace(/(\w+:\/\/)[^/\s]+@/g, "$1");
}
