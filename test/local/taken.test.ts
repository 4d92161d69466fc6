import { chownSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { walkAll, walkCode } from "../../local/folder/walk";
import { gitIn, lfsPointer, TestRepository } from "../support/repository";

/** Which files of a folder are code, as git has it. */
describe("the code of a folder", () => {
  let repository: TestRepository;

  beforeEach(() => {
    repository = new TestRepository();
  });
  afterEach(() => {
    vi.unstubAllEnvs();
    repository.remove();
  });

  const codeOf = async (...below: string[]): Promise<string[]> =>
    [...(await walkCode(join(repository.folder, ...below))).entries()].map(({ path }) => path);

  it("follows the rules above it", async () => {
    repository.write({
      ".gitignore": ".env\n*.ckpt\n.venv/\n/projects/a/logs/\n",
      "projects/a/train.py": "",
      "projects/a/.env": "WANDB_API_KEY=secret",
      "projects/a/old.ckpt": "",
      "projects/a/.venv/lib/x.py": "",
      "projects/a/logs/x": "",
      "projects/b/other.py": "",
    });
    mkdirSync(join(repository.folder, "projects/a/empty/.venv/none"), { recursive: true });
    mkdirSync(join(repository.folder, "projects/a/kept/none"), { recursive: true });
    expect(await codeOf("projects/a")).toEqual(["kept/none", "train.py"]);
    repository.commit();
    expect(await codeOf("projects/a")).toEqual(["kept/none", "train.py"]);
  });

  it("follows the user's own rules, in a repository and without one", async () => {
    const settings = mkdtempSync(join(tmpdir(), "lambda-train-settings-"));
    writeFileSync(join(settings, "ignore"), "secrets.json\n");
    writeFileSync(join(settings, "config"), `[core]\n\texcludesFile = ${join(settings, "ignore")}\n`);
    vi.stubEnv("GIT_CONFIG_GLOBAL", join(settings, "config"));
    repository.write({ "secrets.json": "{}", "train.py": "" });
    expect(await codeOf()).toEqual(["train.py"]);
    rmSync(join(repository.folder, ".git"), { recursive: true });
    expect(await codeOf()).toEqual(["train.py"]);
    rmSync(settings, { recursive: true });
  });

  it("has nothing to do with a repository that ignores it as a whole", async () => {
    repository.write({
      ".gitignore": "/*\n",
      "project/.gitignore": "*.pt\n",
      "project/train.py": "",
      "project/a.pt": "",
    });
    expect(await codeOf("project")).toEqual([".gitignore", "train.py"]);
  });

  it("is an error where git can't tell it, never a part", async () => {
    repository.commit({ ".gitignore": "*.txt\n", "train.py": "" });
    repository.write({ "vocab.txt": "a" });
    repository.git("add", "--force", "vocab.txt");
    expect(await codeOf()).toEqual([".gitignore", "train.py", "vocab.txt"]);
    writeFileSync(join(repository.folder, ".git/index"), "no index at all, but long enough to be one");
    await expect(codeOf()).rejects.toThrow(/git can't read .*index/);
    rmSync(join(repository.folder, ".git/HEAD"));
    await expect(codeOf()).rejects.toThrow(/git can't read .*not a git repository/);
  });

  it.runIf(process.getuid?.() === 0)("is an error in a clone of another user, with what to do", async () => {
    repository.commit({ "train.py": "" });
    vi.stubEnv("GIT_CONFIG_GLOBAL", "/dev/null");
    vi.stubEnv("SUDO_UID", undefined);
    for (const path of ["", ".git"]) chownSync(join(repository.folder, path), 1234, 1234);
    await expect(codeOf()).rejects.toThrow(/dubious ownership.*safe\.directory/s);
  });

  it("is what is there: not what was deleted, moved behind a link, or left out of a sparse checkout", async () => {
    repository.commit({ "gone.py": "", "was/folder.py": "", "docs/big": "", "lib/kept.py": "", "odd\n'ü\".py": "" });
    unlinkSync(join(repository.folder, "gone.py"));
    rmSync(join(repository.folder, "was"), { recursive: true });
    symlinkSync("lib", join(repository.folder, "was"));
    writeFileSync(join(repository.folder, "lib/folder.py"), "");
    repository.git("update-index", "--skip-worktree", "docs/big");
    rmSync(join(repository.folder, "docs"), { recursive: true });
    expect(await codeOf()).toEqual(["lib/folder.py", "lib/kept.py", "odd\n'ü\".py", "was"]);
  });

  it("holds submodules and other clones inside, each by its own rules", async () => {
    const third = new TestRepository();
    third.write({ ".gitignore": "*.log\n", "a.log": "", "util.py": "" });
    third.git("add", "--force", ".");
    third.commit();
    repository.git("submodule", "--quiet", "add", `file://${third.folder}`, "third");
    repository.git("submodule", "--quiet", "add", `file://${third.folder}`, "unused");
    repository.commit();
    repository.git("submodule", "--quiet", "deinit", "--force", "unused");
    gitIn(repository.folder, "clone", "--quiet", third.folder, "other");
    repository.write({ "third/b.log": "", "third/new.py": "" });
    expect(await codeOf()).toEqual([
      ".gitmodules",
      ...["other/.gitignore", "other/a.log", "other/util.py"],
      ...["third/.gitignore", "third/a.log", "third/new.py", "third/util.py"],
      "unused",
    ]);
    third.remove();
  });

  it("holds no pointers of Git LFS, but for those that the user leaves out", async () => {
    repository.commit({ ".gitattributes": "*.bin filter=lfs -text\n", "docs/a.bin": lfsPointer, "b.bin": lfsPointer });
    await expect(codeOf()).rejects.toThrow(/2 files are Git LFS pointers .*"b.bin", "docs\/a.bin".*git lfs pull/);
    repository.write({ ".lfsconfig": "[lfs]\n\tfetchexclude = docs, /b.bin\n" });
    expect(await codeOf()).toEqual([".gitattributes", ".lfsconfig", "b.bin", "docs/a.bin"]);
  });
});

describe("a dataset", () => {
  it("holds no pointers of Git LFS, also where its checksums are remembered", async () => {
    const folder = mkdtempSync(join(tmpdir(), "lambda-train-set-"));
    const hashFolder = mkdtempSync(join(tmpdir(), "lambda-train-hashes-"));
    mkdirSync(join(folder, "train"));
    writeFileSync(join(folder, "train/x.parquet"), lfsPointer);
    writeFileSync(join(folder, "train/y.parquet"), "content");
    for (let time = 1; time <= 2; time++) {
      await expect(walkAll(folder, { hashFolder })).rejects.toThrow(/1 file is a Git LFS pointer.*"train\/x.parquet"/);
    }
    writeFileSync(join(folder, "train/x.parquet"), "content");
    expect((await walkAll(folder, { hashFolder })).count).toBe(2);
    for (const each of [folder, hashFolder]) rmSync(each, { recursive: true });
  });
});
