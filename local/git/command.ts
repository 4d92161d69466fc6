import { spawnSync } from "node:child_process";
import { localEnvironment } from "../command";
import { LocalReadError } from "../folder/local-error";
import { withoutCredentials } from "./url";

/** git failed, or isn't there. The message is what it said. */
export class GitError extends Error {
  override readonly name = "GitError";
}

/** How git runs. */
export interface GitOptions {
  /** Standard input; closed by default. */
  readonly input?: string;
  /** Variables besides those of this process. */
  readonly variables?: Readonly<Record<string, string>>;
  /** Seconds after which git is ended. Default: a minute. */
  readonly seconds?: number;
}

/** Pathspecs are the paths that they spell, whatever the user has set. */
const otherPathspecs = ["GIT_GLOB_PATHSPECS", "GIT_NOGLOB_PATHSPECS", "GIT_LITERAL_PATHSPECS", "GIT_ICASE_PATHSPECS"];

function environment(variables: Readonly<Record<string, string>>): NodeJS.ProcessEnv {
  const env = Object.entries(localEnvironment()).filter(([name]) => !otherPathspecs.includes(name));
  return {
    ...Object.fromEntries(env),
    // A private repository without credentials must fail, not wait for a password.
    GIT_TERMINAL_PROMPT: "0",
    // Nothing here may keep the user's own git from its index.
    GIT_OPTIONAL_LOCKS: "0",
    LC_ALL: "C.UTF-8",
    LANGUAGE: "",
    ...variables,
  };
}

/**
 * Runs git in a folder and gives what it printed.
 * @throws GitError with what it said, without credentials
 */
export function git(folder: string, args: readonly string[], options: GitOptions = {}): string {
  const { input, variables = {}, seconds = 60 } = options;
  const { status, signal, error, stdout, stderr } = spawnSync("git", ["-C", folder, ...args], {
    env: environment(variables),
    input,
    stdio: [input === undefined ? "ignore" : "pipe", "pipe", "pipe"],
    maxBuffer: 1 << 29,
    encoding: "utf8",
    timeout: seconds * 1000,
  });
  const code = (error as NodeJS.ErrnoException | undefined)?.code;
  if (code === "ENOENT")
    throw new GitError("git isn't installed here. Install it: the stack reads repositories with it");
  if (code === "ETIMEDOUT") throw new GitError(`git gave no answer within ${seconds} seconds`);
  if (error !== undefined || status !== 0) {
    throw new GitError(saidBy(stderr ?? "") || error?.message || `git ended with ${signal ?? `status ${status}`}`);
  }
  return stdout;
}

/** The same for a question to which git may have no answer: undefined where it fails. */
export function gitOrNone(folder: string, args: readonly string[], options?: GitOptions): string | undefined {
  try {
    return git(folder, args, options).trimEnd();
  } catch (error) {
    if (error instanceof GitError) return undefined;
    throw error;
  }
}

/** The parts of output that `-z` makes unambiguous. */
export function parts(output: string): string[] {
  return output.split("\0").filter((part) => part !== "");
}

/** Runs what reads a folder of the user with git. @throws LocalReadError that says what git said */
export function orLocalError<T>(folder: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof GitError)) throw error;
    throw new LocalReadError(`git can't read ${folder}, so it can't be told which files are code: ${error.message}`, {
      cause: error,
    });
  }
}

/** Tells nothing of the cause: what follows the cause in any case, warnings, and progress. */
const noCause =
  /^(warning|hint|Warning|Cloning into|Submodule |From |remote: (Enumerating|Counting|Compressing|Total)|fatal: Could not read from remote repository|Please make sure you have the correct access rights|and the repository exists)/;

/** What git said when it failed, the first cause first: it comes before git's own last line. */
function saidBy(stderr: string): string {
  const lines = stderr
    .split(/[\r\n]+/)
    .map((line) => line.trim())
    .filter((line) => line !== "");
  const telling = lines.filter((line) => !noCause.test(line));
  return withoutCredentials((telling.length > 0 ? telling : lines).slice(0, 3).join(" / ")).replace(/\.$/, "");
}
