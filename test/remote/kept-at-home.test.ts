import { chmod, mkdir, readdir, readFile, rename, rm, stat, symlink, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type Downloaded, type DownloadTreeOptions, downloadTree, verifyResults } from "../../remote/transfer/download";
import { parseSource, sourceOf } from "../../remote/transfer/results-source";
import { contents, fill, useTransferPlace } from "./transfer-place";

const place = useTransferPlace();
const { remote } = place;

describe("what is at home stays", () => {
  const final = (path = ""): string => join(place.local, "results/exp", path);
  const told: string[] = [];
  const fetch = (options: Partial<DownloadTreeOptions> = {}): Promise<Downloaded> => {
    told.length = 0;
    return downloadTree(place.session, {
      remoteRoot: place.root,
      localFinal: final(),
      onProgress: (line) => told.push(line),
      ...options,
    });
  };
  const others = async (): Promise<string[]> =>
    (await readdir(join(place.local, "results"))).filter((name) => name !== "exp");

  it("that people put there: files, links, folders and modes", async () => {
    await fill(remote(), { "checkpoints/1.pt": "one" });
    await fetch();
    await fill(final(), { "notes/private/a.txt": "mine", "checkpoints/mine.pt": "mine" });
    await symlink("checkpoints/1.pt", final("best"));
    await symlink("/somewhere/else", final("notes/away"));
    await mkdir(final("drafts/empty"), { recursive: true });
    await chmod(final("notes/private"), 0o700);
    await chmod(final("notes/private/a.txt"), 0o600);
    await fill(remote(), { "checkpoints/2.pt": "two" });
    await rm(remote("checkpoints/1.pt"));
    await fetch();
    const { "manifest.json": _, ...rest } = await contents(final());
    expect(rest).toEqual({
      "checkpoints/2.pt": "two",
      "checkpoints/mine.pt": "mine",
      "notes/private/a.txt": "mine",
      "notes/away": "-> /somewhere/else",
      best: "-> checkpoints/1.pt",
    });
    expect(await readdir(final("drafts/empty"))).toEqual([]);
    expect((await stat(final("notes/private"))).mode & 0o777).toBe(0o700);
    expect((await stat(final("notes/private/a.txt"))).mode & 0o777).toBe(0o600);
    expect(told).toEqual([]);
    expect(await verifyResults(final())).toMatchObject({ ok: true, files: 1 });
  });

  it("also a file in place of a folder that had come", async () => {
    await fill(remote(), { "sub/x": "x" });
    await symlink("x", remote("sub/link"));
    await fetch();
    await rm(final("sub"), { recursive: true });
    await writeFile(final("sub"), "mine");
    await fetch();
    expect(await readFile(final("sub/x"), "utf8")).toBe("x");
    const [kept = ""] = (await readdir(final())).filter((name) => name.startsWith("sub."));
    expect(await readFile(final(kept), "utf8")).toBe("mine");
  });

  it("under a dated name where something new has theirs, or where they changed what had come", async () => {
    await fill(remote(), { "config.json": "{}", "sub/x": "x" });
    await fetch();
    await writeFile(final("config.json"), "edited");
    await fill(final(), { later: "mine", "folder/mine": "mine" });
    await symlink("x", final("sub/link"));
    await fill(remote(), { later: "theirs", folder: "a file now", "sub/link": "a file" });
    await fetch();
    const { "manifest.json": _, ...rest } = await contents(final());
    const dated = /\.\d{8}T\d{9}Z/;
    const undated = Object.entries(rest).map(([name, content]) => [name.replace(dated, ".DATE"), content]);
    expect(Object.fromEntries(undated)).toEqual({
      "config.json": "{}",
      "config.json.DATE": "edited",
      later: "theirs",
      "later.DATE": "mine",
      folder: "a file now",
      "folder.DATE/mine": "mine",
      "sub/x": "x",
      "sub/link": "a file",
      "sub/link.DATE": "-> x",
    });
    expect(told.join("\n")).toContain("Kept your changed results beside the downloaded ones");
    expect(await verifyResults(final())).toMatchObject({ ok: true, files: 5 });
    const before = await contents(final());
    await fill(remote(), { one: "more" });
    await fetch();
    expect(await contents(final())).toEqual({ ...before, one: "more", "manifest.json": expect.any(String) });
  });

  it("where the run had another configuration, each with its own files", async () => {
    const first = sourceOf("i-1", { experiment: "exp", hash: "a".repeat(64), attempt: 1 });
    const second = sourceOf("i-1", { experiment: "exp", hash: "b".repeat(64), attempt: 2 });
    await fill(remote(), { model: "first", same: "same" });
    await fetch(first);
    await fill(remote(), { model: "second" });
    await chmod(remote("same"), 0o755);
    await fetch(second);
    const [kept = ""] = await others();
    expect(kept).toMatch(/^exp\.\d{8}T\d{9}Z$/);
    expect(told).toEqual([
      `The results in ${final()} were of another run: they are kept as ${join(place.local, "results", kept)}`,
    ]);
    const old = join(place.local, "results", kept);
    expect(await readFile(join(old, "model"), "utf8")).toBe("first");
    expect(await readFile(final("model"), "utf8")).toBe("second");
    // Content that both have is there twice: who changes one must not change the other.
    expect((await stat(join(old, "same"))).ino).not.toBe((await stat(final("same"))).ino);
    expect((await stat(join(old, "same"))).mode & 0o100).toBe(0);
    expect(await verifyResults(old)).toMatchObject({ ok: true, source: "i-1:exp@aaaaaaaaaaaa" });
    expect(await verifyResults(final())).toMatchObject({ ok: true, source: "i-1:exp@bbbbbbbbbbbb" });
    await fetch(second);
    expect(await others()).toEqual([kept]);
  });

  it("of an earlier release only where it may be of another configuration", async () => {
    await fill(remote(), { model: "first" });
    await fetch({ source: "i-1:exp" });
    await fill(remote(), { more: "m" });
    await fetch(sourceOf("i-1", { experiment: "exp", hash: "c".repeat(64), attempt: 1 }));
    expect(await others()).toEqual([]);
    await rm(final(), { recursive: true });
    await fetch({ source: "i-1:exp" });
    await fetch(sourceOf("i-1", { experiment: "exp", hash: "c".repeat(64), attempt: 2 }));
    expect(await others()).toHaveLength(1);
  });

  it("twice where two are kept that came in the same moment", async () => {
    await fill(remote(), { a: "1" });
    await fetch({ source: "one" });
    const record = await readFile(final("manifest.json"), "utf8");
    await fetch({ source: "two" });
    const [kept = ""] = await others();
    await writeFile(
      final("manifest.json"),
      (await readFile(final("manifest.json"), "utf8")).replace(
        /"createdAt":"[^"]*"/,
        /"createdAt":"[^"]*"/.exec(record)?.[0] ?? "",
      ),
    );
    await fetch({ source: "three" });
    expect((await others()).sort()).toEqual([kept, `${kept}-1`]);
  });

  it("after a crash at any step of the change of names", async () => {
    await fill(remote(), { a: "1" });
    await fetch({ source: "one" });
    // Kept under its new name, the new one not there yet.
    const kept = `${final()}.20200101T000000000Z`;
    await rename(final(), kept);
    await fetch({ source: "two" });
    expect((await contents(kept)).a).toBe("1");
    expect(await verifyResults(final())).toMatchObject({ ok: true, source: "two" });
  });

  it("as an earlier release wrote its record", async () => {
    await fill(remote(), { "manifest.json": "theirs", a: "1" });
    await fetch({ source: "i-1:exp" });
    const record = JSON.parse(await readFile(final("manifest.json"), "utf8")) as { files: { path: string }[] };
    const files = record.files.map((file) =>
      file.path === "manifest.json.workload" ? { ...file, path: "manifest.workload.json" } : file,
    );
    await rm(final("manifest.json.workload"));
    await writeFile(final("manifest.workload.json"), "theirs");
    await writeFile(final("manifest.json"), `${JSON.stringify({ ...record, files }, null, 1)}\n`);
    expect(await verifyResults(final())).toMatchObject({ ok: true, files: 2 });
    expect((await fetch({ source: "i-1:exp" })).fetchedFiles).toBe(0);
    expect(Object.keys(await contents(final())).sort()).toEqual(["a", "manifest.json", "manifest.json.workload"]);
  });

  it("and tells where it is from", () => {
    expect(parseSource("i-1:exp@0123456789ab")).toEqual({ instance: "i-1", experiment: "exp", hash: "0123456789ab" });
    expect(parseSource("i-1:exp")).toEqual({ instance: "i-1", experiment: "exp", hash: undefined });
    expect(parseSource("user@127.0.0.1:/home/x")).toBeUndefined();
  });

  it("of an earlier instance only where a run that goes on with it lacks some of it", async () => {
    await fill(remote(), { "log.txt": "1", "checkpoints/1.pt": "one" });
    await fetch({ source: "first" });
    // Checkpoints are removed by training.
    await rm(remote("checkpoints/1.pt"));
    await fill(remote(), { "log.txt": "1 2", "checkpoints/2.pt": "two" });
    await fetch({ source: "second", goesOnFrom: "first" });
    expect(await others()).toEqual([]);
    expect(await readFile(final("log.txt"), "utf8")).toBe("1 2");
    await rm(remote("log.txt"));
    await fetch({ source: "third", goesOnFrom: "second" });
    expect(await others()).toHaveLength(1);
    await fetch({ source: "fourth", goesOnFrom: "second" });
    expect(await others()).toHaveLength(2);
  });

  it("with the times that it has on the instance, in the manifest too", async () => {
    const large = "x".repeat(5 << 20);
    await fill(remote(), { small: "a", "same-1": "twice", "same-2": "twice", large });
    const times = { small: 1_700_000_000.25, "same-1": 1_600_000_000, "same-2": 1_500_000_000.5, large: 1_400_000_000 };
    const expectTimes = async (): Promise<void> => {
      const { files } = JSON.parse(await readFile(final("manifest.json"), "utf8")) as {
        files: { path: string; mtime?: number }[];
      };
      expect(Object.fromEntries(files.map(({ path, mtime }) => [path, (mtime ?? 0) / 1000]))).toEqual(times);
      for (const [name, seconds] of Object.entries(times))
        expect((await stat(final(name))).mtimeMs / 1000).toBe(seconds);
    };
    for (const [name, seconds] of Object.entries(times)) await utimes(remote(name), seconds, seconds);
    await fetch();
    await expectTimes();
    // What is here already keeps its time beside something new.
    await fill(remote(), { new: "b" });
    await utimes(remote("new"), 1_300_000_000, 1_300_000_000);
    Object.assign(times, { new: 1_300_000_000 });
    await fetch();
    await expectTimes();
  });
});
