import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A git repository of a test, in a folder of its own. */
export class TestRepository {
  readonly folder: string;

  constructor(folder?: string) {
    this.folder = folder ?? mkdtempSync(join(tmpdir(), "lambda-train-repository-"));
    mkdirSync(this.folder, { recursive: true });
    this.git("init", "--quiet", "--initial-branch=main");
  }

  /** Runs git there, as somebody who may commit. */
  git(...args: string[]): string {
    return gitIn(this.folder, ...args);
  }

  write(files: Readonly<Record<string, string>>): void {
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(join(this.folder, path, ".."), { recursive: true });
      writeFileSync(join(this.folder, path), text);
    }
  }

  /** Writes files and commits all that isn't ignored. Gives the commit. */
  commit(files: Readonly<Record<string, string>> = {}): string {
    this.write(files);
    this.git("add", ".");
    this.git("commit", "--quiet", "--allow-empty", "--message", "work");
    return this.git("rev-parse", "HEAD");
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Runs git in a folder, in the tests' own environment. */
export function gitIn(folder: string, ...args: string[]): string {
  const who = ["-c", "user.name=Test", "-c", "user.email=test@example.org", "-c", "protocol.file.allow=always"];
  const { GIT_DIR: _dir, GIT_INDEX_FILE: _index, ...env } = process.env;
  const stdio: ["ignore", "pipe", "pipe"] = ["ignore", "pipe", "pipe"];
  return execFileSync("git", ["-C", folder, ...who, ...args], { encoding: "utf8", env, stdio }).trim();
}

/** What Git LFS leaves in place of a file that it didn't fetch. */
export const lfsPointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${"4d".repeat(32)}\nsize 12345\n`;
