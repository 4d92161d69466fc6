import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { walkCode } from "../../local/folder/walk";
import { uploadRepositories } from "../../remote/transfer/repositories";
import { uploadTree } from "../../remote/transfer/upload";
import { gitIn, TestRepository } from "../support/repository";
import { useTransferPlace } from "./transfer-place";

const place = useTransferPlace();
const { remote } = place;

/** What the code on an instance knows of itself. */
describe("the small repository beside the code", () => {
  let repository: TestRepository;
  const told: string[] = [];

  beforeEach(() => {
    repository = new TestRepository();
    told.length = 0;
  });
  afterEach(() => repository.remove());

  const send = async (
    subfolder = "",
    options: { protectedPaths?: string[]; extraFiles?: Record<string, string> } = {},
  ) => {
    const folder = join(repository.folder, subfolder);
    const { protectedPaths, extraFiles } = options;
    const tree = await walkCode(folder, { protectedPaths, extraFiles });
    const there = { name: place.root, protectedPaths };
    await uploadTree(place.session, { ...there, tree, remoteRoot: place.root });
    const onProgress = (line: string): void => void told.push(line);
    const replaced = Object.keys(extraFiles ?? {});
    await uploadRepositories(place.session, { ...there, folder, workspace: place.root, replaced, onProgress });
  };
  const there = (...args: string[]): string => gitIn(remote(), ...args);

  it("gives the commit, the branch, the version and the remote's address, without hooks and credentials", async () => {
    repository.commit({ "train.py": "1\n", "lib/util.py": "x\n" });
    repository.git("tag", "v1.2.3");
    repository.git("tag", "--annotate", "--message", "old", "odd/v0");
    repository.git("checkout", "--quiet", "-b", "side");
    repository.commit({ side: "" });
    repository.git("checkout", "--quiet", "main");
    repository.commit({ "train.py": "2\n" });
    repository.git("merge", "--quiet", "--no-edit", "side");
    repository.git("remote", "add", "origin", "https://someone:token@example.org/w.git");
    repository.git("config", "core.hooksPath", "/nowhere");
    await send();
    expect(there("rev-parse", "HEAD")).toBe(repository.git("rev-parse", "HEAD"));
    expect(there("describe", "--tags", "--long", "--dirty", "--match", "*[0-9]*")).toBe(
      repository.git("describe", "--tags", "--long", "--dirty", "--match", "*[0-9]*"),
    );
    expect(there("describe", "--tags", "--long", "--match", "v*")).toMatch(/^v1\.2\.3-3-g/);
    expect(there("rev-parse", "--abbrev-ref", "HEAD")).toBe("main");
    expect(there("remote", "get-url", "origin")).toBe("https://example.org/w.git");
    expect(there("config", "--local", "--list")).not.toMatch(/hooks|token/);
    expect(there("status", "--porcelain")).toBe("");
    writeFileSync(remote("train.py"), "3\n");
    expect(there("diff", "HEAD")).toContain("-2\n+3");
    expect(told).toEqual([]);
  });

  it("shows what is changed at home as changed, and nothing else", async () => {
    const names = { "a.py": "1\n", "mode.sh": "#\n", "gone.py": "", "staged.py": "", "ü\n'\"": "", "hidden.py": "1\n" };
    repository.commit({ ...names, "data/tracked": "1\n", "c.yaml": "disk\n" });
    repository.write({ "a.py": "2\n", "staged.py": "2\n", "new.py": "", "hidden.py": "2\n" });
    gitIn(repository.folder, "add", "staged.py");
    repository.git("update-index", "--chmod=+x", "mode.sh");
    repository.git("update-index", "--assume-unchanged", "hidden.py");
    rmSync(join(repository.folder, "gone.py"));
    await send("", { protectedPaths: ["data"], extraFiles: { "c.yaml": "plan\n", ".lambda-train/x.yaml": "" } });
    const lines = there("status", "--porcelain=v1", "-z").split("\0").sort();
    expect(lines).toEqual(
      ["", " M c.yaml", " D gone.py", " M hidden.py", "?? new.py", "M  staged.py", "MM mode.sh", "M a.py"].sort(),
    );
  });

  it("is that of a subfolder where the workload is one, and one of each submodule", async () => {
    const third = new TestRepository();
    third.commit({ "util.py": "" });
    third.git("tag", "v7");
    repository.write({ "projects/a/train.py": "1\n", "other/big": "" });
    repository.git("submodule", "--quiet", "add", `file://${third.folder}`, "projects/a/third");
    repository.commit();
    await send("projects/a");
    expect(there("rev-parse", "HEAD")).toBe(repository.git("rev-parse", "HEAD"));
    expect(there("status", "--porcelain")).toBe("");
    expect(gitIn(remote("third"), "describe", "--tags", "--dirty")).toBe("v7");
    writeFileSync(remote("train.py"), "2\n");
    expect(there("diff", "--stat", "HEAD")).toContain("train.py");
    third.remove();
  });

  it("knows the version of a worktree, of a shallow clone and of one without blobs", async () => {
    repository.commit({ "train.py": "1\n", "old.py": "" });
    repository.git("tag", "v1");
    rmSync(join(repository.folder, "old.py"));
    const commit = repository.commit({ "train.py": "2\n" });
    const origin = repository;
    const clone = async (...words: string[]): Promise<void> => {
      repository = new TestRepository();
      const folder = join(repository.folder, "clone");
      origin.git("config", "uploadpack.allowFilter", "true");
      gitIn("/", ...words, folder);
      await send("clone");
      expect(there("rev-parse", "HEAD")).toBe(commit);
      expect(there("status", "--porcelain")).toBe("");
      repository.remove();
    };
    await clone("clone", "--quiet", "--filter=blob:none", `file://${origin.folder}`);
    expect(there("describe", "--tags")).toMatch(/^v1-1-g/);
    await clone("clone", "--quiet", "--depth=1", `file://${origin.folder}`);
    expect(there("log", "--format=%H")).toBe(commit);
    await clone("-C", origin.folder, "worktree", "add", "--quiet", "--detach");
    expect(there("describe", "--tags")).toMatch(/^v1-1-g/);
    repository = origin;
  });

  it("follows the next commit, stays where somebody worked on it, and goes with the repository at home", async () => {
    repository.commit({ "train.py": "1\n" });
    await send();
    const second = repository.commit({ "train.py": "1\n", "b.py": "" });
    await send();
    expect(there("rev-parse", "HEAD")).toBe(second);
    expect(there("status", "--porcelain")).toBe("");
    there("commit", "--quiet", "--allow-empty", "--message", "theirs");
    const theirs = there("rev-parse", "HEAD");
    repository.commit({ "b.py": "2\n" });
    await send();
    expect(there("rev-parse", "HEAD")).toBe(theirs);
    expect(told).toEqual([`${place.root}/.git on the instance was changed there, so it stays as it is`]);
    there("update-ref", "refs/heads/main", second);
    rmSync(remote(".git"), { recursive: true });
    await send();
    rmSync(join(repository.folder, ".git"), { recursive: true });
    await send();
    expect(() => there("rev-parse", "HEAD")).toThrow("not a git repository");
  });

  it("is none of a folder without a commit", async () => {
    mkdirSync(join(repository.folder, "empty"));
    repository.write({ "train.py": "" });
    await send();
    expect(() => there("rev-parse", "HEAD")).toThrow("not a git repository");
  });
});
