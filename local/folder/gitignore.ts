import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import ignore, { type Ignore } from "ignore";

/** The rules of the folders from the root down to where the walk is. */
export interface IgnoreRules {
  /** True where git would ignore this path (relative to the root, with `/`). */
  ignores(path: string, isFolder: boolean): boolean;
  /** These rules and those of `<folder>/.gitignore`. */
  within(folder: string): Promise<IgnoreRules>;
}

interface Level {
  /** Folder that holds the rules, with a `/` at the end; empty for the root. */
  readonly prefix: string;
  readonly rules: Ignore;
}

/** The rules that hold at the root: its `.gitignore` and the clone's own `info/exclude`. */
export async function ignoreRules(root: string): Promise<IgnoreRules> {
  const exclude = await rulesFrom(join(root, ".git/info/exclude"));
  const own = await rulesFrom(join(root, ".gitignore"));
  const levels = [exclude, own].filter((rules) => rules !== undefined).map((rules) => ({ prefix: "", rules }));
  return build(root, levels);
}

function build(root: string, levels: readonly Level[]): IgnoreRules {
  return {
    ignores: (path, isFolder) => {
      // The deepest file that says anything about the path decides, as in git.
      for (const { prefix, rules } of [...levels].reverse()) {
        const verdict = rules.test(`${path.slice(prefix.length)}${isFolder ? "/" : ""}`);
        if (verdict.ignored || verdict.unignored) {
          return verdict.ignored;
        }
      }
      return false;
    },
    within: async (folder) => {
      const rules = await rulesFrom(join(root, folder, ".gitignore"));
      return build(root, rules === undefined ? levels : [...levels, { prefix: `${folder}/`, rules }]);
    },
  };
}

async function rulesFrom(file: string): Promise<Ignore | undefined> {
  const text = await readFile(file, "utf8").catch(() => undefined);
  return text === undefined ? undefined : ignore().add(text);
}

/**
 * Files that git tracks: they belong to the repository even where a rule ignores them. Undefined without a clone or
 * without git; then rules alone decide.
 */
export async function trackedFiles(root: string): Promise<ReadonlySet<string> | undefined> {
  try {
    const run = promisify(execFile);
    // Within a git hook these name another repository than the folder's own.
    const env = { ...process.env, GIT_DIR: undefined, GIT_WORK_TREE: undefined, GIT_INDEX_FILE: undefined };
    const options = { env, maxBuffer: 1 << 28, timeout: 30_000 };
    const { stdout } = await run("git", ["-C", root, "ls-files", "-z"], options);
    return new Set(stdout.split("\0").filter((path) => path !== ""));
  } catch {
    return undefined;
  }
}
