import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { hashText } from "../../local/folder/hashes";
import type { ManifestEntry } from "../../local/folder/manifest";
import {
  byPath,
  checkManifest,
  isSafePath,
  isUnder,
  manifestHash,
  normalizePaths,
  staysInside,
} from "../../local/folder/manifest";
import { type LocalFile, type LocalTree, walkAll, walkCode } from "../../local/folder/walk";
import { tarHeader } from "../../remote/transfer/tar";
import { bundled } from "../support/bundled";

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "lambda-train-walk-"));
});

afterEach(() => rm(folder, { recursive: true, force: true }));

async function fill(files: Readonly<Record<string, string>>): Promise<void> {
  for (const [path, content] of Object.entries(files)) {
    await mkdir(join(folder, path, ".."), { recursive: true });
    await writeFile(join(folder, path), content);
  }
}

const git = (...words: string[]): string =>
  execFileSync("git", ["-C", folder, "-c", "user.name=t", "-c", "user.email=t@t", ...words], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
  });

const paths = async (options?: Parameters<typeof walkCode>[1]): Promise<string[]> =>
  listed(await walkCode(folder, options)).map(({ path }) => path);

/** The entries of a tree, at once. */
const listed = (tree: LocalTree): LocalFile[] => [...tree.entries()];

describe("the code of a workload", () => {
  const files = {
    ".gitignore": "*.pt\n/build\nlogs/\n!keep.pt\nsub/*.txt\n# comment\n\\#odd\n**/deep/x\n",
    "a.py": "",
    "a.pt": "",
    "keep.pt": "",
    "build/x": "",
    "sub/build/x": "",
    "logs/x": "",
    "sub/logs/y": "",
    "sub/a.txt": "",
    "sub/s/a.txt": "",
    "sub/.gitignore": "*.md\n!a.pt\n/only-here\n",
    "sub/r.md": "",
    "r.md": "",
    "sub/a.pt": "",
    "sub/only-here": "",
    "sub/s/only-here": "",
    "#odd": "",
    "q/deep/x": "",
    "q/deep/y": "",
    "with space/ä": "",
  };

  it("is what git takes, whether it is a clone or not", async () => {
    await fill(files);
    const plain = await paths();
    git("init", "-q");
    const taken = git("ls-files", "-z", "--others", "--exclude-standard")
      .split("\0")
      .filter((path) => path !== "");
    expect(plain).toEqual(taken.sort((a, b) => (a < b ? -1 : 1)));
    expect(await paths()).toEqual(plain);
    expect(plain).toContain("sub/a.pt");
    expect(plain).not.toContain("a.pt");
  });

  it("holds what git tracks even where a rule ignores it, and what a clone excludes by itself", async () => {
    await fill({ ".gitignore": "*.pt\nmodels/\n", "models/base.pt": "1", "models/new.pt": "2", mine: "3", code: "4" });
    git("init", "-q");
    git("add", "-f", "models/base.pt", "code");
    await writeFile(join(folder, ".git/info/exclude"), "mine\n");
    expect(await paths()).toEqual([".gitignore", "code", "models/base.pt"]);
  });

  it("leaves out protected paths and every .git, and takes extra files over the disk's", async () => {
    await fill({
      "data/x": "",
      "database/y": "",
      "outputs/z": "",
      "third/.git": "gitdir: elsewhere",
      "c.yaml": "disk",
    });
    const tree = await walkCode(folder, {
      protectedPaths: ["data/", "./outputs"],
      extraFiles: { "c.yaml": "plan", "new/d.yaml": "ü" },
    });
    expect(listed(tree).map(({ path, size }) => [path, size])).toEqual([
      ["c.yaml", 4],
      ["database/y", 0],
      ["new/d.yaml", 2],
    ]);
    await expect(walkCode(folder, { extraFiles: { "../x": "" } })).rejects.toThrow('"../x" is not a path below');
  });

  it("keeps links inside and names those that lead out", async () => {
    await fill({ "a/b": "x", ".gitignore": "ignored\n" });
    await symlink("../a/b", join(folder, "a/inside"));
    await symlink("/data", join(folder, "ignored"));
    const code = listed(await walkCode(folder));
    expect(code.find(({ path }) => path === "a/inside")).toMatchObject({ link: "../a/b", executable: false });
    await symlink("/etc/hostname", join(folder, "a/outside"));
    await expect(walkCode(folder)).rejects.toThrow("a/outside leads out of the workload (to /etc/hostname)");
  });

  it("refuses a surprise and says what it is made of", async () => {
    await fill({ "a.py": "", ...Object.fromEntries(Array.from({ length: 9 }, (_, i) => [`venv/lib/m${i}`, "12345"])) });
    await expect(walkCode(folder, { maxFiles: 5 })).rejects.toThrow(
      /10 files and 45 B[\s\S]*at most 5 files[\s\S]*venv\/lib: 9 files, 45 B[\s\S]*\.gitignore/,
    );
    await expect(walkCode(folder, { maxBytes: 44 })).rejects.toThrow("45 B to upload");
    expect(await paths({ maxFiles: 10, maxBytes: 45 })).toHaveLength(10);
    await expect(walkCode(join(folder, "nowhere"))).rejects.toThrow("Check its path");
  });

  it("has one hash for the same content, and another for any change", async () => {
    await fill({ a: "1", b: "2" });
    const hash = async (): Promise<string> => (await walkCode(folder)).hash;
    const first = await hash();
    await utimes(join(folder, "a"), new Date(), new Date(0));
    expect(await hash()).toBe(first);
    await chmod(join(folder, "a"), 0o755);
    const executable = await hash();
    await fill({ b: "3" });
    expect(new Set([first, executable, await hash()]).size).toBe(3);
  });
});

describe("empty folders", () => {
  it("of a dataset are part of it", async () => {
    await fill({ "set/train/cat/1": "x" });
    for (const path of ["train/none", "train/deep/none", "a", "a.b"])
      await mkdir(join(folder, "set", path), { recursive: true });
    await mkdir(join(folder, "elsewhere"));
    await symlink(join(folder, "elsewhere"), join(folder, "set/led"));
    const files = listed(await walkAll(join(folder, "set")));
    expect(files.filter((file) => file.folder).map(({ path }) => path)).toEqual([
      "a",
      "a.b",
      "led",
      "train/deep/none",
      "train/none",
    ]);
    checkManifest({ files }, "a test");
  });

  it("of code are part of it where they hold nothing at all and are not ignored", async () => {
    await fill({ ".gitignore": "*.pt\nbuild/\n", "models/a.pt": "x", "third/.git/HEAD": "x" });
    for (const path of ["build/x", "data/train", "logs", "gen", "src/plugins"])
      await mkdir(join(folder, path), { recursive: true });
    const walk = async (): Promise<string[]> => paths({ protectedPaths: ["data"], extraFiles: { "gen/c.yaml": "" } });
    expect(await walk()).toEqual([".gitignore", "gen/c.yaml", "logs", "src/plugins"]);
    git("init", "-q");
    expect(await walk()).toEqual([".gitignore", "gen/c.yaml", "logs", "src/plugins"]);
  });
});

describe("a dataset", () => {
  it("has no ignore rules and follows links that lead out, but not in circles", async () => {
    await fill({ "set/.gitignore": "*", "set/x.pt": "1", "other/y": "2" });
    await symlink(join(folder, "other"), join(folder, "set/train"));
    const files = listed(await walkAll(join(folder, "set")));
    expect(files.map(({ path }) => path)).toEqual([".gitignore", "train/y", "x.pt"]);
    await symlink(folder, join(folder, "set/round"));
    await expect(walkAll(join(folder, "set"))).rejects.toThrow("leads back to a folder that holds it");
    await rm(join(folder, "set/round"));
    await symlink("/no/where", join(folder, "set/dangling"));
    await expect(walkAll(join(folder, "set"))).rejects.toThrow("dangling");
  });

  it("follows a link below a linked folder that would lead elsewhere, or nowhere, from its place in the dataset", async () => {
    await fill({ "big/raw/1.png": "one", "big/train/real.png": "r", "set/raw/2.png": "another" });
    await symlink("../raw/1.png", join(folder, "big/train/1.png"));
    await symlink("real.png", join(folder, "big/train/same.png"));
    await symlink("../raw", join(folder, "big/train/all"));
    await symlink(join(folder, "big/train"), join(folder, "set/train"));
    const files = listed(await walkAll(join(folder, "set")));
    const content = createHash("sha256").update("one").digest("hex");
    expect(files.find(({ path }) => path === "train/1.png")).toMatchObject({ size: 3, sha256: content });
    expect(files.find(({ path }) => path === "train/same.png")).toMatchObject({ link: "real.png" });
    expect(files.map(({ path }) => path)).toContain("train/all/1.png");
  });

  const indexed = (): { walk: () => Promise<LocalTree>; file: string } => {
    const hashFolder = join(folder, "hashes");
    const name = hashText(join(folder, "set")).slice(0, 32);
    return { walk: () => walkAll(join(folder, "set"), { hashFolder }), file: join(hashFolder, `${name}.all`) };
  };
  /** Changes what is remembered, so that it shows where nothing was read. */
  const falsify = async (file: string, content: string): Promise<void> => {
    const wrong = (await readFile(file, "latin1")).replaceAll(hashText(content), "f".repeat(64));
    await writeFile(file, wrong, "latin1");
  };

  it("is read once while nothing changes", async () => {
    const { walk, file } = indexed();
    await fill({ "set/a": "one", "set/b": "two", "set/ü\nc": "three" });
    await sleep(2100);
    const { hash } = await walk();
    for (const content of ["one", "two", "three"]) await falsify(file, content);
    const again = await walk();
    expect(again.hash).toBe(hash);
    expect(listed(again).map(({ sha256 }) => sha256)).toEqual(Array(3).fill("f".repeat(64)));
    // Another file is read, the others are not.
    await fill({ "set/b": "TWO" });
    expect(listed(await walk()).map(({ sha256 }) => sha256)).toEqual(["f".repeat(64), hashText("TWO"), "f".repeat(64)]);
    // A change that hides its time shows in when the file was changed last.
    const { atime, mtime } = await stat(join(folder, "set/a"));
    await writeFile(join(folder, "set/a"), "ONE");
    await utimes(join(folder, "set/a"), atime, mtime);
    expect(listed(await walk())[0]?.sha256).toBe(hashText("ONE"));
    await writeFile(file, "damaged");
    expect(listed(await walk()).map(({ sha256 }) => sha256)).toEqual(["ONE", "TWO", "three"].map(hashText));
  });

  it("is read again where it is too fresh to be told apart by its times", async () => {
    const { walk, file } = indexed();
    await fill({ "set/a": "one" });
    await walk();
    await falsify(file, "one");
    expect(listed(await walk())[0]?.sha256).toBe(hashText("one"));
  });

  it("is alone read again where it changed just now, and may change within the same time", async () => {
    const { walk, file } = indexed();
    await fill({ "set/a": "one", "set/b": "two" });
    await sleep(2100);
    await walk();
    await fill({ "set/a": "ONE" });
    await walk();
    await falsify(file, "two");
    const { ino } = await stat(file);
    expect(listed(await walk()).map(({ sha256 }) => sha256)).toEqual([hashText("ONE"), "f".repeat(64)]);
    expect((await stat(file)).ino).toBe(ino);
    // What is remembered of the fresh one is not believed: its content is.
    await falsify(file, "ONE");
    expect(listed(await walk())[0]?.sha256).toBe(hashText("ONE"));
    expect((await stat(file)).ino).not.toBe(ino);
  });

  it("is not looked at where what was seen before will do", async () => {
    const { walk } = indexed();
    await fill({ "set/a": "one" });
    const { hash } = await walk();
    await fill({ "set/a": "two" });
    const found = (asked: string) => walkAll(join(folder, "set"), { hashFolder: join(folder, "hashes"), hash: asked });
    expect(listed(await found(hash))).toMatchObject([{ sha256: hashText("one") }]);
    expect(listed(await found("0".repeat(64)))).toMatchObject([{ sha256: hashText("two") }]);
  });

  it("is one index in place of what earlier releases remembered", async () => {
    const { walk, file } = indexed();
    await fill({ "set/a": "one", "hashes/other.json": "{}" });
    for (const old of ["json", "jsonl"]) await writeFile(file.replace(/all$/, old), "{}");
    await walk();
    expect((await readdir(join(folder, "hashes"))).sort()).toEqual([basename(file), "other.json"].sort());
  });

  it("that others index meanwhile is still given as it was read", async () => {
    const { walk } = indexed();
    await fill({ "set/a": "one" });
    const first = await walk();
    await fill({ "set/b": "two" });
    await walk();
    expect(listed(first).map(({ path }) => path)).toEqual(["a"]);
  });

  it("gives its entries in the order of their paths, whatever their names", async () => {
    const name = fc.stringMatching(/^[a-c.\-/ü\u{10000}\uE000]{1,6}$/u).filter((path) => isSafePath(path));
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(name, { maxLength: 12 }), async (names) => {
        const set = await mkdtemp(join(folder, "set-"));
        for (const path of names) {
          await mkdir(dirname(join(set, path)), { recursive: true }).catch(() => {});
          await writeFile(join(set, path), path).catch(() => {});
        }
        const given = listed(await walkAll(set));
        expect(given).toEqual([...given].sort(byPath));
        expect((await walkAll(set)).hash).toBe(manifestHash({ files: given }));
      }),
      { numRuns: 60 },
    );
  });
});

describe("very many files", () => {
  it("are read in bounded memory, and how far that is is told", { timeout: 120_000 }, async () => {
    // Some hundred files and links to their folder stand for them all.
    const side = 360;
    const [one, set, hashFolder] = ["one", "set", "hashes"].map((name) => join(folder, name)) as [
      string,
      string,
      string,
    ];
    for (const each of [one, set]) await mkdir(each);
    for (let i = 100; i < 100 + side; i++) {
      await writeFile(join(one, `f${i}`), "");
      await symlink(one, join(set, `s${i}`));
    }
    await sleep(2100);
    const program = `
      const { walkAll } = require(process.argv[3]);
      const walk = async () => {
        const told = [];
        const onReading = (detail) => told.push(detail);
        const { count, bytes, hash } = await walkAll(process.argv[1], { hashFolder: process.argv[2], onReading });
        return { count, hash, told };
      };
      walk().then(async (first) => console.log(JSON.stringify([first, await walk(), process.resourceUsage().maxRSS])));`;
    const args = ["-e", program, set, hashFolder, bundled("local/folder/walk.ts")];
    const said = execFileSync(process.execPath, ["--max-old-space-size=48", ...args], { encoding: "utf8" });
    const [first, again, kilobytes] = JSON.parse(said);
    expect(first.count).toBe(side * side);
    expect([again.count, again.hash]).toEqual([first.count, first.hash]);
    expect(first.told.join("\n")).toMatch(/^[\d,]+ of 129,600 files, 0.0 GB hashed$/m);
    expect(again.told.join("\n")).toMatch(/^[\d,]+ files found$/m);
    expect(again.told.join("\n")).not.toContain("hashed");
    expect(kilobytes).toBeLessThan(200_000);
  });
});

describe("properties", () => {
  it("a safe path stays below its root", () => {
    const part = fc.oneof(fc.constantFrom("..", ".", "", "a", "...", "..a", "\0"), fc.string({ maxLength: 4 }));
    fc.assert(
      fc.property(fc.array(part, { maxLength: 6 }), (parts) => {
        const path = parts.join("/");
        if (isSafePath(path)) {
          expect(join("/base/x", path)).toMatch(/^\/base\/x\/./);
          expect(join("/base/x", path)).toBe(`/base/x/${path}`);
        }
      }),
    );
  });

  it("a link stays inside just when the path it leads to does", () => {
    const part = fc.constantFrom("..", ".", "", "a", "b");
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom("a", "b"), { minLength: 1, maxLength: 4 }),
        fc.array(part, { maxLength: 6 }),
        (at, to) => {
          const target = to.join("/");
          let level = at.length - 1;
          const climbs = to.some((step) => {
            level += step === ".." ? -1 : step === "" || step === "." ? 0 : 1;
            return level < 0;
          });
          expect(staysInside(at.join("/"), target)).toBe(target !== "" && !target.startsWith("/") && !climbs);
        },
      ),
    );
  });

  const entry = (path: string): ManifestEntry => ({ path, size: 1, sha256: "a".repeat(64), executable: false });

  it("a manifest's hash knows no order, and no two manifests share one", () => {
    const names = fc.uniqueArray(fc.string({ minLength: 1, maxLength: 5 }), { maxLength: 8 });
    fc.assert(
      fc.property(names, names, (one, two) => {
        const hash = (list: string[]): string => manifestHash({ files: list.map(entry) });
        expect(hash([...one].reverse())).toBe(hash(one));
        expect(hash(one) === hash(two)).toBe(JSON.stringify([...one].sort()) === JSON.stringify([...two].sort()));
      }),
    );
  });

  it("a manifest that passes the check can be written as files and folders", () => {
    const path = fc
      .array(fc.constantFrom("a", "b", "..", ""), { minLength: 1, maxLength: 3 })
      .map((parts) => parts.join("/"));
    fc.assert(
      fc.property(fc.array(path, { maxLength: 5 }), (list) => {
        const bad =
          list.some((name) => !isSafePath(name)) ||
          new Set(list).size < list.length ||
          list.some((name) => list.some((other) => other !== name && isUnder(name, [other])));
        const check = (): void => checkManifest({ files: list.map(entry) }, "a test");
        if (bad) {
          expect(check).toThrow("is refused");
        } else {
          check();
        }
      }),
    );
  });

  it("paths of a plan are normalized", () => {
    expect(normalizePaths(["./data/", "outputs", ".", "a//b"])).toEqual(["data", "outputs", "a/b"]);
  });

  it("a tar header is read by tar as it was meant, up to sizes over 8 GiB", () => {
    for (const size of [0, 1, 511, 8 ** 11 - 1, 8 ** 11, 2 ** 45]) {
      const list = spawnSync("tar", ["-tvf", "-"], { input: tarHeader("f".repeat(64), size), encoding: "utf8" }).stdout;
      expect(list).toMatch(new RegExp(`^-rw------- 0/0 +${size} .* f{64}\n$`));
    }
  });
});
