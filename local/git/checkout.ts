import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { quotedFew } from "../folder/manifest";
import { GitError, git, gitOrNone, parts } from "./command";
import { pointersIn } from "./lfs";
import { putInPlace } from "./mirror";
import { isLocalUrl } from "./url";

/** Gives the mirror of a URL that holds a commit. */
export type MirrorOf = (url: string, commit: string) => string;

/** Files as they are in the repository, whatever the user has set, and no hook of theirs in a folder of ours. */
const settings = [
  "core.autocrlf=false",
  "core.eol=lf",
  "core.attributesFile=/dev/null",
  "core.symlinks=true",
  "core.fileMode=true",
  "core.hooksPath=/dev/null",
];

/** Without git-lfs's filter, which may be set and not be there: its files are brought afterwards. */
const withoutLfs = ["-c", "filter.lfs.smudge=", "-c", "filter.lfs.process=", "-c", "filter.lfs.required=false"];

/** A checkout of a commit is a clone of its own, with its submodules and the files that Git LFS keeps. */
interface Wanted {
  readonly url: string;
  readonly commit: string;
}

/**
 * Makes the folder of a commit, unless it is there and whole.
 * @throws GitError with what git said
 */
export function checkOut(wanted: Wanted, mirrorOf: MirrorOf, folder: string): void {
  if (isWhole(folder, wanted.commit)) return;
  mkdirSync(dirname(folder), { recursive: true });
  const fresh = mkdtempSync(`${folder}.`);
  try {
    fill(fresh, wanted, mirrorOf);
    putInPlace(fresh, folder);
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
}

function isWhole(folder: string, commit: string): boolean {
  if (!existsSync(join(folder, ".git"))) return false;
  return gitOrNone(folder, ["rev-parse", "--verify", "--quiet", "HEAD^{tree}", "HEAD"])?.endsWith(commit) === true;
}

function fill(folder: string, { url, commit }: Wanted, mirrorOf: MirrorOf): void {
  const set = settings.flatMap((setting) => ["-c", setting]);
  // From a folder of this machine git takes all objects, linked where it can, whether a branch leads to them or not.
  const words = ["clone", "--quiet", "--no-checkout", "--origin=origin", "--template=", ...set];
  git(dirname(folder), [...words, "--", mirrorOf(url, commit), folder], { seconds: 3600 });
  git(folder, ["remote", "set-url", "origin", url]);
  // Once more: what the environment sets outranks a clone's own settings.
  const variables = { GIT_ATTR_NOSYSTEM: "1" };
  const checkout = [...set, ...withoutLfs, "checkout", "--quiet", "--detach", "--force", commit];
  git(folder, checkout, { seconds: 3600, variables });
  bringLfs(folder);
  for (const { path, ...wanted } of submodules(folder, url)) {
    try {
      fill(join(folder, path), wanted, mirrorOf);
    } catch (error) {
      if (!(error instanceof GitError)) throw error;
      throw new GitError(`its submodule ${path} can't be checked out: ${error.message}`, { cause: error });
    }
  }
}

/** Fetches the files that Git LFS keeps. */
function bringLfs(folder: string): void {
  const pointers = pointersIn(folder);
  if (pointers.length === 0) return;
  if (gitOrNone(folder, ["lfs", "version"]) === undefined) {
    throw new GitError(
      `Git LFS keeps ${quotedFew(pointers)}, and git-lfs isn't installed here. Install it (apt-get install git-lfs)`,
    );
  }
  git(folder, ["lfs", "install", "--local", "--force", "--skip-repo"]);
  git(folder, ["lfs", "pull"], { seconds: 2 * 3600 });
}

/** The submodules of a checkout, with the commit of each, but for those that it never updates. */
function submodules(folder: string, url: string): (Wanted & { readonly path: string })[] {
  const links = new Map(
    parts(git(folder, ["ls-files", "--stage", "-z"])).flatMap((line): [string, string][] => {
      const [, commit, path] = /^160000 (\S+) \d\t(.*)$/s.exec(line) ?? [];
      return path === undefined || commit === undefined ? [] : [[path, commit]];
    }),
  );
  if (links.size === 0) return [];
  git(folder, ["submodule", "--quiet", "init"]);
  const told = (what: string): string | undefined =>
    gitOrNone(folder, ["config", "--file", ".gitmodules", "--null", "--get-regexp", what]);
  return parts(told("^submodule\\..*\\.path$") ?? "").flatMap((line) => {
    const [, name, path] = /^submodule\.(.*)\.path\n(.*)$/s.exec(line) ?? [];
    const commit = links.get(path ?? "");
    if (name === undefined || path === undefined || commit === undefined) return [];
    const address = gitOrNone(folder, ["config", `submodule.${name}.url`]);
    if (address === undefined || gitOrNone(folder, ["config", `submodule.${name}.update`]) === "none") return [];
    // git itself refuses it: a repository from elsewhere must not read what lies on this machine.
    if (isLocalUrl(address) && !isLocalUrl(url)) {
      throw new GitError(`its submodule ${path} is at ${address}, on this machine, and the workload isn't`);
    }
    return [{ path, url: address, commit }];
  });
}
