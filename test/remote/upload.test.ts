import { chmod, lstat, mkdir, readdir, readFile, rm, stat, symlink, utimes, writeFile } from "node:fs/promises";
import { join, relative, resolve } from "node:path";
import { Readable } from "node:stream";
import { describe, expect, it } from "vitest";
import { hashText } from "../../local/folder/hashes";
import type { ManifestEntry } from "../../local/folder/manifest";
import { walkAll, walkCode } from "../../local/folder/walk";
import { callAgent } from "../../remote/agent";
import { SshSession } from "../../remote/session";
import { ManifestBlocks, packedManifest } from "../../remote/transfer/manifest-lines";
import { uploadTree } from "../../remote/transfer/upload";
import { contents, fill, nastyNames, useTransferPlace } from "./transfer-place";

const place = useTransferPlace();
const { remote, send } = place;

const buffers = async (source: AsyncIterable<Buffer>): Promise<Buffer[]> => {
  const all: Buffer[] = [];
  for await (const each of source) all.push(each);
  return all;
};

describe("upload", () => {
  it("brings every name, link and mode over", async () => {
    await fill(place.local, Object.fromEntries(nastyNames.map((name) => [name, `content of ${name}`])));
    await fill(place.local, { "tool.sh": "#!/bin/sh\n", empty: "", twin: "content of plain.txt" });
    await chmod(join(place.local, "tool.sh"), 0o755);
    await symlink("../plain.txt", join(place.local, ".hidden/link"));
    expect((await send()).sentFiles).toBe(nastyNames.length + 3);
    expect(await contents(remote())).toEqual(await contents(place.local));
    expect((await stat(remote("tool.sh"))).mode & 0o111).toBe(0o111);
    expect((await stat(remote("plain.txt"))).mode & 0o111).toBe(0);
    expect((await stat(remote("twin"))).ino).not.toBe((await stat(remote("plain.txt"))).ino);
  });

  it("sends again only what changed and removes only what it had put", async () => {
    await fill(place.local, { a: "1", "gone/deep/b": "2", "data/c": "3", kept: "4" });
    await send();
    await fill(remote(), { "gone/theirs": "x", "outputs/best.pt": "y" });
    expect(await send()).toMatchObject({ sentFiles: 0, removed: 0 });
    await rm(join(place.local, "gone"), { recursive: true });
    await rm(join(place.local, "data"), { recursive: true });
    await fill(place.local, { a: "changed" });
    expect(await send(place.session, { protectedPaths: ["./data/"] })).toMatchObject({
      sentFiles: 1,
      sentBytes: 7,
      removed: 1,
    });
    expect(await contents(remote())).toEqual({
      a: "changed",
      kept: "4",
      "gone/theirs": "x",
      "outputs/best.pt": "y",
      "data/c": "3",
    });
  });

  it("puts right what was changed or lost on the instance", async () => {
    await fill(place.local, { a: "1111", b: "2222" });
    await send();
    await writeFile(remote("a"), "9999");
    await rm(remote("b"));
    expect(await send()).toMatchObject({ sentFiles: 2 });
    expect(await contents(remote())).toEqual({ a: "1111", b: "2222" });
  });

  it("takes a change of mode, and of a file into a folder or link and back", async () => {
    await fill(place.local, { "x/y": "in a folder", tool: "t" });
    await send();
    await rm(join(place.local, "x"), { recursive: true });
    await fill(place.local, { x: "a file" });
    await chmod(join(place.local, "tool"), 0o755);
    await send();
    expect(await contents(remote())).toEqual({ x: "a file", tool: "t" });
    expect((await stat(remote("tool"))).mode & 0o100).toBe(0o100);
    await rm(join(place.local, "x"));
    await symlink("tool", join(place.local, "x"));
    await send();
    await rm(join(place.local, "x"));
    await fill(place.local, { "x/y": "again" });
    await send();
    expect(await contents(remote())).toEqual({ "x/y": "again", tool: "t" });
  });

  it("tells a file from a link whose text is the file's content, and an executable file from its twin", async () => {
    await fill(place.local, { "v2/a": "x", zlatest: "v2", run: "same", "run.txt": "same" });
    await symlink("v2", join(place.local, "current"));
    await chmod(join(place.local, "run"), 0o755);
    expect((await send()).sentFiles).toBe(4);
    expect(await contents(remote())).toEqual(await contents(place.local));
    const modes = await Promise.all(["run", "run.txt"].map(async (path) => (await stat(remote(path))).mode & 0o100));
    expect(modes).toEqual([0o100, 0]);
    await rm(join(place.local, "current"));
    await rm(join(place.local, "zlatest"));
    await fill(place.local, { current: "v2" });
    await symlink("v2", join(place.local, "zlatest"));
    await send();
    expect(await contents(remote())).toEqual(await contents(place.local));
  });

  it("makes empty folders, and removes those that it made and that are still empty", async () => {
    const folders = async (): Promise<string[]> =>
      (await readdir(remote(), { recursive: true, withFileTypes: true }))
        .filter((item) => item.isDirectory())
        .map((item) => relative(remote(), join(item.parentPath, item.name)))
        .sort();
    await fill(place.local, { "train/cat/1": "x", turned: "a file" });
    for (const path of ["train/none", "used", "deep/er", "filled"])
      await mkdir(join(place.local, path), { recursive: true });
    await symlink("train", join(place.local, "led"));
    expect((await send()).sentFiles).toBe(2);
    expect(await folders()).toEqual(["deep", "deep/er", "filled", "train", "train/cat", "train/none", "used"]);
    expect(await send()).toMatchObject({ sentFiles: 0, removed: 0 });
    const check = (): Promise<string> =>
      callAgent(place.session, { verb: "upload-check", document: { name: place.root, root: place.root } }, "Checking");
    expect(await check()).toBe("3 files, 0.0 MB\n");
    await rm(remote("used"), { recursive: true });
    await expect(check()).rejects.toThrow("1 of 7 files are missing");
    await send();
    await fill(remote(), { "used/theirs": "y" });
    for (const path of ["train/none", "used", "deep", "turned", "led", "train/cat"]) {
      await rm(join(place.local, path), { recursive: true });
    }
    await fill(place.local, { "filled/2": "z", "train/none": "now a file" });
    for (const path of ["turned", "led", "train/cat"]) await mkdir(join(place.local, path));
    await send();
    expect(await folders()).toEqual(["filled", "led", "train", "train/cat", "turned", "used"]);
    expect(await contents(remote())).toEqual({ "filled/2": "z", "train/none": "now a file", "used/theirs": "y" });
  });

  it("goes on from what an earlier release has put there and noted in its own way", async () => {
    await fill(place.local, { a: "1", b: "2", "ünï 🙂": "3", "ünï\uffee": "4", gone: "5", link: "" });
    await rm(join(place.local, "link"));
    await symlink("a", join(place.local, "link"));
    const tree = await walkAll(place.local);
    const files: Record<string, unknown> = {};
    for (const { path, size, sha256, executable, link } of tree.entries()) {
      if (link !== undefined) await symlink(link, remote(path));
      else await fill(remote(), { [path]: await readFile(join(place.local, path)) });
      // Nanoseconds are more than JavaScript counts exactly.
      const mtime = `@${(await lstat(remote(path), { bigint: true })).mtimeNs}@`;
      files[path] = [size, mtime, sha256, executable, link ?? null];
    }
    const known = { root: join(place.sshd.home, place.root), hash: tree.hash, files };
    const noted = join(place.sshd.home, ".lambda-train/manifests", `${place.root}.json`);
    await writeFile(noted, JSON.stringify(known).replaceAll(/"@|@"/g, ""));
    expect(await send()).toMatchObject({ sentFiles: 0, removed: 0 });
    expect(await readFile(noted, "utf8")).toContain('"files"');
    await rm(join(place.local, "gone"));
    await fill(place.local, { b: "22" });
    expect(await send()).toMatchObject({ sentFiles: 1, removed: 1 });
    expect(await contents(remote())).toEqual(await contents(place.local));
    expect(await readFile(noted, "utf8")).not.toContain('"files"');
    expect(await send()).toMatchObject({ sentFiles: 0, removed: 0 });
  });

  it("tells of many files only those near to what changed, and misses nothing", async () => {
    const name = (i: number): string => `train/${i % 7}/${String(i).padStart(6, "0")}`;
    await fill(place.local, Object.fromEntries(Array.from({ length: 4000 }, (_, i) => [name(i), `content ${i}`])));
    await send();
    expect(await send()).toMatchObject({ sentFiles: 0, removed: 0 });
    const session = await SshSession.connect(place.through());
    const before = place.relay.sent;
    await fill(place.local, { [name(1234)]: "changed" });
    expect(await send(session)).toMatchObject({ sentFiles: 1, removed: 0 });
    // All lines are 250 kB when packed.
    expect(place.relay.sent - before).toBeLessThan(60_000);
    session.close();
    for (let round = 0; round < 3; round++) {
      const at = 500 * round;
      await fill(place.local, {
        [name(at)]: `changed ${round}`,
        [`new/${round}`]: "added",
        [`train/0/a${round}`]: "x",
      });
      await rm(join(place.local, name(at + 1)));
      await chmod(join(place.local, name(at + 2)), 0o755);
      await writeFile(remote(name(at + 3)), "written there");
      await rm(remote(name(at + 4)));
      await fill(remote(), { [`theirs/${round}`]: "theirs" });
      expect(await send()).toMatchObject({ sentFiles: 5, removed: 1 });
      expect(await contents(remote("theirs"))).toHaveProperty(String(round));
      await rm(remote("theirs"), { recursive: true });
      expect(await contents(remote())).toEqual(await contents(place.local));
      expect((await stat(remote(name(at + 2)))).mode & 0o100).toBe(0o100);
    }
    expect(await send()).toMatchObject({ sentFiles: 0, removed: 0 });
  });

  it("takes little memory on the instance for each file", async () => {
    const many = 100_000;
    const files: ManifestEntry[] = [];
    for (let i = 0; i < many; i++) {
      const path = `train/${String(i).padStart(16, "0")}.inkml`;
      files.push({ path, size: 1, sha256: hashText(path), executable: false });
    }
    const measured =
      "import resource, subprocess, sys\n" +
      "print(subprocess.run(sys.argv[1:], stdout=subprocess.PIPE).stdout.decode())\n" +
      "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e3)";
    const receive = `python3 -B ${resolve("scripts/agent")} upload-apply`;
    const document = { name: place.root, root: place.root, hash: "h", protected: [] };
    const manifest = packedManifest(new ManifestBlocks(files), new Set());
    const stdin = Readable.from([`${JSON.stringify(document)}\n`, ...(await buffers(manifest)), '{"packed":"none"}\n']);
    const said = await place.session.run(`python3 -c '${measured}' ${receive}`, "Planning", { stdin });
    const [, answer, megabytes] = said.trim().split(/\n+/);
    const { need, bytes } = JSON.parse(answer ?? "");
    expect([need, bytes]).toEqual([Buffer.alloc(many / 8, 0xff).toString("base64"), many]);
    expect(Number(megabytes)).toBeLessThan(100);
  });

  describe("gives times that tell what is newer", () => {
    const second = 1000;
    const time = async (path: string): Promise<number> => (await stat(remote(path))).mtimeMs;

    it("to what changed, in whole seconds, and leaves the others theirs", async () => {
      await fill(place.local, { a: "1", b: "1", twin: "1" });
      const begun = Date.now();
      await send();
      const before = await Promise.all(["a", "b", "twin"].map(time));
      for (const moment of before) expect(moment).toBeGreaterThan(begun - second);
      await fill(place.local, { a: "2" });
      await send();
      const first = await time("a");
      expect(Math.floor(first / second)).toBeGreaterThan(Math.floor((before[0] ?? 0) / second));
      // What is built from it now is newer.
      expect(first).toBeLessThan(Date.now() + 1);
      await rm(join(place.local, "a"));
      await send();
      await fill(place.local, { a: "3" });
      await send();
      expect(Math.floor((await time("a")) / second)).toBeGreaterThan(Math.floor(first / second));
      expect(await Promise.all(["b", "twin"].map(time))).toEqual(before.slice(1));
    });

    it("also where the clock of the instance was set back", async () => {
      await fill(place.local, { a: "1", b: "1" });
      await send();
      const future = Date.now() / second + 3600;
      await utimes(remote("a"), future, future);
      await fill(place.local, { a: "2", b: "2" });
      await send();
      expect(await time("a")).toBeGreaterThanOrEqual((Math.floor(future) + 1) * second);
      expect(await time("b")).toBeLessThan(Date.now() + second);
      await fill(remote(), { built: "of b" });
      const noted = join(place.sshd.home, ".lambda-train/runs", place.root);
      await fill(noted, { "train.log": "" });
      for (const path of [remote("built"), join(noted, "train.log")]) await utimes(path, future, future);
      await fill(place.local, { b: "3" });
      await send();
      await rm(noted, { recursive: true });
      expect(await time("b")).toBeGreaterThan(await time("built"));
    });

    it("to what a link leads to since it was turned, and to what an earlier release placed without one", async () => {
      await fill(place.local, { "v1/x": "1", "v2/x": "2", "v3/x": "3", other: "o" });
      await symlink("v1", join(place.local, "current"));
      await send();
      const [v2, v3] = await Promise.all(["v2/x", "v3/x"].map(time));
      await utimes(remote("other"), 0, 0);
      await rm(join(place.local, "current"));
      await symlink("v2", join(place.local, "current"));
      await send();
      expect(Math.floor((await time("current/x")) / second)).toBeGreaterThan(Math.floor((v2 ?? 0) / second));
      expect(await time("v3/x")).toBe(v3);
      expect(await time("other")).toBeGreaterThan(v3 ?? 0);
      expect(await send()).toMatchObject({ sentFiles: 0, removed: 0 });
    });
  });

  it("tells what is in the way instead of deleting it", async () => {
    await fill(remote(), { "x/theirs": "keep me" });
    await fill(place.local, { x: "a file" });
    await expect(send()).rejects.toThrow("move them away");
    expect(await contents(remote())).toEqual({ "x/theirs": "keep me" });
  });

  it("goes through a workspace that somebody made a link", async () => {
    await mkdir(remote("../big-disk"));
    await symlink("big-disk", remote());
    await fill(place.local, { a: "1" });
    await send();
    await fill(place.local, { a: "2" });
    await send();
    expect((await lstat(remote())).isSymbolicLink()).toBe(true);
    expect(await contents(remote("../big-disk"))).toEqual({ a: "2" });
  });

  it("writes content that comes from the plan over the disk's", async () => {
    await fill(place.local, { "configs/c.yaml": "old", ".gitignore": "*.yaml" });
    const tree = await walkCode(place.local, {
      extraFiles: { "configs/c.yaml": "new: ü\n", "configs/d.yaml": "x".repeat(200_000) },
    });
    await uploadTree(place.session, { tree, remoteRoot: place.root, name: place.root });
    expect(await readFile(remote("configs/c.yaml"), "utf8")).toBe("new: ü\n");
    expect((await stat(remote("configs/d.yaml"))).size).toBe(200_000);
  });
});
