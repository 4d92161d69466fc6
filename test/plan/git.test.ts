import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { runLocally } from "../../local/command";
import { walkCode } from "../../local/folder/walk";
import { type Experiment, experimentSchema } from "../../plan/experiment";
import { type FoundWorkload, findWorkload } from "../../plan/workload";
import { gitIn, lfsPointer, TestRepository } from "../support/repository";

/** A workload that comes from a git URL. */
describe("a git URL", () => {
  let cache: string;
  let remote: TestRepository;

  beforeEach(() => {
    cache = mkdtempSync(join(tmpdir(), "lambda-train-cache-"));
    remote = new TestRepository();
  });
  afterEach(() => {
    vi.unstubAllEnvs();
    remote.remove();
    rmSync(cache, { recursive: true, force: true });
  });

  const experiment = (workload: object): Experiment =>
    experimentSchema.parse({
      experiment: "run-1",
      workload,
      environment: { setup: null },
      train: { command: "python3 train.py", config: null },
      evaluate: null,
      dashboard: null,
    });
  const found = (ref?: string, source = `file://${remote.folder}`): FoundWorkload =>
    findWorkload(experiment({ source, ref }), remote.folder, cache);
  const text = (path: string, ref?: string): string => readFileSync(join(found(ref).folder, path), "utf8");
  const mirror = (): string => {
    const [key = ""] = readdirSync(join(cache, "workloads"));
    return join(cache, "workloads", key, "mirror.git");
  };
  const program = (name: string, script: string): string => {
    const path = join(cache, "bin", name);
    new TestRepository(join(cache, "bin")).write({ [name]: `#!/bin/sh\n${script}\n` });
    chmodSync(path, 0o755);
    return path;
  };

  it("is the whole checkout: what a rule ignores but git tracks, and submodules, theirs included", async () => {
    const [third, fourth] = [new TestRepository(), new TestRepository()];
    fourth.commit({ "deep.py": "y = 1\n" });
    third.commit({ "util.py": "x = 1\n" });
    third.git("submodule", "--quiet", "add", `file://${fourth.folder}`, "lib/fourth");
    third.commit();
    remote.write({ ".gitignore": "*.txt\n.env\n", "vocab/tokens.txt": "a b c\n", "train.py": "" });
    remote.git("add", "--force", "vocab/tokens.txt");
    remote.git("submodule", "--quiet", "add", `file://${third.folder}`, "lib/third");
    remote.git("config", "--file", ".gitmodules", "submodule.lib/third.url", `../${basename(third.folder)}`);
    remote.commit();
    const files = [...(await walkCode(found().folder)).entries()];
    expect(files.map(({ path }) => path)).toEqual([
      ".gitignore",
      ".gitmodules",
      "lib/third/.gitmodules",
      "lib/third/lib/fourth/deep.py",
      "lib/third/util.py",
      "train.py",
      "vocab/tokens.txt",
    ]);
    third.remove();
    fourth.remove();
  });

  it("names a submodule that can't be checked out", () => {
    const third = new TestRepository();
    third.commit({ "util.py": "x = 1\n" });
    remote.git("submodule", "--quiet", "add", `file://${third.folder}`, "lib/third");
    remote.commit();
    third.remove();
    expect(() => found()).toThrow(/submodule lib\/third can't be checked out: fatal: .*does not (appear|exist)/);
  });

  it("without a ref is the default branch as the remote has it now", () => {
    remote.commit({ VERSION: "old" });
    expect(text("VERSION")).toBe("old");
    remote.git("checkout", "--quiet", "-b", "next");
    remote.commit({ VERSION: "new" });
    expect(text("VERSION")).toBe("new");
    expect(found()).toMatchObject({ ref: "next", commit: remote.git("rev-parse", "HEAD") });
    remote.git("branch", "-D", "main");
    expect(text("VERSION")).toBe("new");
  });

  it("has refs by every name, and a nearest one for a name that it hasn't", () => {
    const first = remote.commit({ VERSION: "1" });
    remote.git("tag", "--annotate", "--message", "one", "v1");
    remote.commit({ VERSION: "2" });
    remote.git("update-ref", "refs/pull/7/head", first);
    for (const ref of ["v1", first, first.slice(0, 9), "refs/pull/7/head", "main~1"])
      expect(text("VERSION", ref)).toBe("1");
    expect(found("v1").ref).toBe("v1");
    expect(() => found("origin/mian")).toThrow("has no such branch, tag or commit. Did you mean main?");
  });

  it("is of its own repository when git runs the stack in a hook, and so is what an experiment file runs", () => {
    remote.commit({ VERSION: "1" });
    const victim = new TestRepository();
    victim.commit({ "mine.txt": "mine\n" });
    victim.write({ "mine.txt": "staged\n" });
    victim.git("add", ".");
    vi.stubEnv("GIT_DIR", join(victim.folder, ".git"));
    vi.stubEnv("GIT_INDEX_FILE", join(victim.folder, ".git/index"));
    const { folder } = found();
    expect(readdirSync(folder).sort()).toEqual([".git", "VERSION"]);
    expect(runLocally('test "$(git rev-parse --show-toplevel)" = "$PWD"', folder)).toBeUndefined();
    vi.unstubAllEnvs();
    expect(victim.git("status", "--porcelain")).toBe("M  mine.txt");
    victim.remove();
  });

  it.each(["index.lock", "packed-refs.lock", "HEAD.lock", "refs/heads/main.lock"])(
    "survives a %s that a killed git has left",
    (lock) => {
      remote.commit({ VERSION: "1" });
      found();
      writeFileSync(join(mirror(), lock), "");
      remote.commit({ VERSION: "2" });
      expect(text("VERSION")).toBe("2");
    },
  );

  it("is cloned anew where its mirror or its checkout is damaged", () => {
    remote.commit({ VERSION: "1" });
    const { folder } = found();
    remote.commit({ VERSION: "2" });
    for (const path of readdirSync(join(mirror(), "objects"), { recursive: true, encoding: "utf8" })) {
      if (!/^(pack\/.*\.pack|..\/.{38})$/.test(path)) continue;
      chmodSync(join(mirror(), "objects", path), 0o644);
      truncateSync(join(mirror(), "objects", path), 10);
    }
    expect(text("VERSION")).toBe("2");
    rmSync(join(folder, ".git/HEAD"));
    expect(text("VERSION", "main~1")).toBe("1");
  });

  it("has files as the repository has them, whatever git is set to on this machine", () => {
    remote.commit({ "setup.sh": "#!/bin/sh\necho\n" });
    const hooks = join(cache, "hooks");
    new TestRepository(hooks).write({ "post-checkout": "#!/bin/sh\ntouch hooked\n" });
    chmodSync(join(hooks, "post-checkout"), 0o755);
    writeFileSync(join(cache, "config"), `[core]\n\tautocrlf = true\n\thooksPath = ${hooks}\n`);
    vi.stubEnv("GIT_CONFIG_GLOBAL", join(cache, "config"));
    expect(text("setup.sh")).toBe("#!/bin/sh\necho\n");
    expect(existsSync(join(found().folder, "hooked"))).toBe(false);
  });

  it.each([
    [
      "the environment sets",
      { GIT_CONFIG_COUNT: "1", GIT_CONFIG_KEY_0: "core.autocrlf", GIT_CONFIG_VALUE_0: "true" },
      "",
    ],
    ["attributes of the user say", {}, "[core]\n\tattributesFile = ATTRIBUTES\n"],
    ["the user's remotes are called", {}, "[clone]\n\tdefaultRemoteName = upstream\n"],
  ])("has its files and its remote as they are, whatever %s", (_, variables, config) => {
    remote.commit({ "setup.sh": "#!/bin/sh\necho\n" });
    writeFileSync(join(cache, "attributes"), "* text eol=crlf\n");
    writeFileSync(join(cache, "config"), config.replace("ATTRIBUTES", join(cache, "attributes")));
    vi.stubEnv("GIT_CONFIG_GLOBAL", join(cache, "config"));
    for (const [name, value] of Object.entries(variables)) vi.stubEnv(name, value);
    expect(text("setup.sh")).toBe("#!/bin/sh\necho\n");
    expect(gitIn(found().folder, "remote").trim()).toBe("origin");
  });

  it("never lets ssh ask, and says what ssh said first", () => {
    const ssh = program("ssh", 'echo "$*" > "$0.words"; echo "Host key verification failed." >&2; exit 255');
    vi.stubEnv("GIT_SSH_COMMAND", ssh);
    const source = "ssh://git:secret@host.invalid/x.git";
    expect(() => found(undefined, source)).toThrow("git can't fetch it: Host key verification failed.");
    expect(() => found(undefined, source)).not.toThrow(/secret/);
    expect(readFileSync(`${ssh}.words`, "utf8")).toMatch(/-o BatchMode=yes -o ConnectTimeout=\d+/);
  });

  it("with files of Git LFS is fetched by git-lfs, or refused where that isn't there", async () => {
    remote.commit({ ".gitattributes": "*.bin filter=lfs diff=lfs merge=lfs -text\n", "data.bin": lfsPointer });
    vi.stubEnv("GIT_CONFIG_GLOBAL", join(cache, "config"));
    writeFileSync(
      join(cache, "config"),
      '[filter "lfs"]\n\tsmudge = git-lfs smudge\n\tclean = git-lfs clean\n\trequired = true\n',
    );
    if (gitLfsIsMissing()) expect(() => found()).toThrow(/Git LFS keeps "data.bin", and git-lfs isn't installed here/);
    // As git-lfs does, it wants to write hooks unless it is told not to.
    program(
      "git-lfs",
      'case "$*" in pull) echo content > data.bin;; install*--skip-repo*) ;; install*) exit 2;; smudge* | clean*) cat;; esac',
    );
    vi.stubEnv("PATH", `${join(cache, "bin")}:${process.env.PATH}`);
    expect(text("data.bin")).toBe("content\n");
    expect([...(await walkCode(found().folder)).entries()].map(({ path }) => path)).toEqual([
      ".gitattributes",
      "data.bin",
    ]);
  });

  it("is a path that ends in .git only where a repository is there", () => {
    remote.commit({ VERSION: "1" });
    gitIn(remote.folder, "clone", "--quiet", "--bare", ".", "bare.git");
    expect(found("main", "bare.git").commit).toBe(remote.git("rev-parse", "HEAD"));
    remote.write({ "plain.git/train.py": "" });
    expect(found(undefined, "plain.git")).toMatchObject({
      folder: join(remote.folder, "plain.git"),
      commit: undefined,
    });
  });
});

function gitLfsIsMissing(): boolean {
  return !(process.env.PATH ?? "").split(":").some((folder) => existsSync(join(folder, "git-lfs")));
}
