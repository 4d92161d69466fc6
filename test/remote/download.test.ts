import { chmod, mkdir, readdir, readFile, rename, rm, stat, symlink, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it, vi } from "vitest";
import { hashFile } from "../../local/folder/hashes";
import { type SshError, SshSession } from "../../remote/session";
import { type Downloaded, type DownloadTreeOptions, downloadTree, verifyResults } from "../../remote/transfer/download";
import type { TestSshd } from "../support/sshd";
import { contents, fill, nastyNames, random, useTransferPlace } from "./transfer-place";

const place = useTransferPlace();
const { remote, through } = place;

describe("download", () => {
  const final = (path = ""): string => join(place.local, "results/exp", path);
  const fetch = (
    options: Partial<DownloadTreeOptions> = {},
    target: SshSession | TestSshd["access"] = place.session,
  ): Promise<Downloaded> => downloadTree(target, { remoteRoot: place.root, localFinal: final(), ...options });
  const withoutRecord = async (): Promise<Record<string, string>> => {
    const { "manifest.json": _, ...rest } = await contents(final());
    return rest;
  };

  it("brings every name, link and mode home, with a record that verifies", async () => {
    await fill(remote(), Object.fromEntries(nastyNames.map((name) => [name, `content of ${name}`])));
    await fill(remote(), { empty: "", twin: "content of plain.txt", big: random(700_000, 5) });
    await chmod(remote("big"), 0o755);
    await symlink("plain.txt", remote("latest"));
    await symlink(remote(".hidden/.deep"), remote("absolute"));
    await symlink("/etc/hostname", remote("outside"));
    const expected = {
      ...(await contents(remote())),
      absolute: "-> .hidden/.deep",
      outside: await readFile("/etc/hostname", "latin1"),
    };
    const done = await fetch();
    expect(await withoutRecord()).toEqual(expected);
    expect(done).toMatchObject({ files: Object.keys(expected).length, unstable: [] });
    expect((await stat(final("big"))).mode & 0o100).toBe(0o100);
    expect((await stat(final("twin"))).ino).not.toBe((await stat(final("plain.txt"))).ino);
    expect(await verifyResults(final())).toMatchObject({
      ok: true,
      source: `${place.sshd.access.user}@127.0.0.1:${place.root}`,
    });
    expect(await readdir(join(place.local, "results"))).toEqual(["exp"]);
    await writeFile(final("empty"), "x");
    await rm(final("plain.txt"));
    expect(await verifyResults(final())).toMatchObject({ ok: false, changed: ["empty"], missing: ["plain.txt"] });
    await expect(verifyResults(place.local)).rejects.toThrow("holds no verified results");
  });

  it("fetches only what is new, keeps people's own files, follows removals", async () => {
    await fill(remote(), { "checkpoints/1.pt": "one", "checkpoints/2.pt": "two" });
    await fetch();
    await writeFile(final("notes.txt"), "mine");
    await rename(remote("checkpoints/2.pt"), remote("checkpoints/best.pt"));
    await fill(remote(), { "checkpoints/3.pt": "three" });
    expect(await fetch()).toMatchObject({ files: 3, fetchedFiles: 1, fetchedBytes: 5 });
    expect(await withoutRecord()).toEqual({
      "checkpoints/1.pt": "one",
      "checkpoints/best.pt": "two",
      "checkpoints/3.pt": "three",
      "notes.txt": "mine",
    });
  });

  it("does not trust an earlier download that was changed", async () => {
    await fill(remote(), { a: "1234" });
    await fetch();
    await writeFile(final("a"), "9876");
    const past = new Date(Date.now() - 60_000);
    await utimes(final("a"), past, past);
    expect((await fetch()).fetchedFiles).toBe(1);
    expect(await readFile(final("a"), "utf8")).toBe("1234");
  });

  it("keeps results that came from elsewhere", async () => {
    await fill(remote(), { "best.pt": "of the first instance" });
    await fetch({ source: "instance one" });
    await rm(remote("best.pt"));
    await fill(remote(), { log: "of the second" });
    await fetch({ source: "instance two" });
    expect(await withoutRecord()).toEqual({ log: "of the second" });
    const [first] = (await readdir(join(place.local, "results"))).filter((name) => name !== "exp");
    expect(await readFile(join(place.local, "results", first ?? "", "best.pt"), "utf8")).toBe("of the first instance");
  });

  it("brings further places along, and a workload's own manifest.json", async () => {
    await fill(remote(), { "manifest.json": "theirs" });
    await fill(join(place.sshd.home, `${place.root}-run`), { "train.log": "a log" });
    await fetch({
      also: { "run/train.log": `${place.root}-run/train.log`, "run/none.log": `${place.root}-run/none.log` },
    });
    expect(await withoutRecord()).toEqual({ "manifest.json.workload": "theirs", "run/train.log": "a log" });
    await expect(fetch({ remoteRoot: "" })).rejects.toThrow("whole home folder");
  });

  it("never shows a half download; what arrived is not fetched again", async () => {
    const files = Object.fromEntries(Array.from({ length: 10 }, (_, i) => [`f${i}`, random(100_000, i + 1)]));
    await fill(remote(), { ...files, big: random(20_000_000, 77) });
    place.relay.cutAfter(16_000_000, "received");
    const error = await fetch({}, await SshSession.connect(through())).catch((e: unknown) => e);
    expect((error as SshError).facts?.kind).toBe("lost");
    await expect(stat(final())).rejects.toThrow("ENOENT");
    expect(await readdir(join(place.local, "results"))).toEqual([".partial-exp"]);
    const before = place.relay.received;
    await fetch({}, through());
    expect(place.relay.received - before).toBeLessThan(20_000_000);
    expect(await withoutRecord()).toEqual(await contents(remote()));
    expect(await readdir(join(place.local, "results"))).toEqual(["exp"]);
  });

  it("goes on within a block where the connection is lost again and again", async () => {
    const size = 40_000_000;
    await fill(remote(), { big: random(size, 21) });
    const before = place.relay.received;
    for (let cut = 1; cut <= 3; cut++) {
      const broken = expect(fetch({}, await SshSession.connect(through()))).rejects.toThrow("lost");
      const enough = place.relay.received + 8_000_000;
      while (place.relay.received < enough) await sleep(1);
      // What has passed the relay arrives; a cut alone would take it out of the sockets' buffers.
      place.relay.stall();
      await sleep(300);
      place.relay.cut();
      place.relay.accept();
      await broken;
    }
    await fetch({}, through());
    // Compared byte by byte by vitest, so many take half a minute.
    expect((await readFile(final("big"))).equals(random(size, 21))).toBe(true);
    // A window's worth is under way at each cut.
    expect(place.relay.received - before).toBeLessThan(size + 3 * 3_000_000);
  });

  it("knows a lost connection wherever the stream was cut", async () => {
    await fill(remote(), { a: "1", b: random(30_000, 2), big: random(900_000, 12) });
    for (let cut = 1; cut <= 16; cut++) {
      const session = await SshSession.connect(through());
      place.relay.cutAfter(cut * 50_000, "received");
      const error = await fetch({ localFinal: join(place.local, `${cut}/exp`) }, session).catch((e: unknown) => e);
      expect((error as SshError).facts?.kind, String(error)).toBe("lost");
    }
  });

  it("makes lost connections again by itself when given an access", async () => {
    await fill(remote(), { big: random(4_000_000, 12) });
    place.relay.cutAfter(1_000_000, "received");
    const told: string[] = [];
    await fetch({ onProgress: (line) => told.push(line) }, through());
    expect(told.join()).toContain("Trying again");
    expect(await hashFile(final("big"))).toBe(await hashFile(remote("big")));
  });

  it("checks what an earlier try has left instead of trusting it", async () => {
    await fill(remote(), { a: "right", b: random(600_000, 8) });
    const left = join(place.local, "results/.partial-exp/objects");
    const name = async (path: string): Promise<string> => hashFile(remote(path));
    await fill(left, { [await name("a")]: "wrong", [`${await name("b")}.part`]: random(1000, 9), junk: "x" });
    await fetch();
    expect(await withoutRecord()).toEqual(await contents(remote()));
  });

  it("waits for another download into the folder, and then has nothing left to fetch", async () => {
    await fill(remote(), { a: random(3_000_000, 3), b: "b" });
    const told: string[] = [];
    const onProgress = (line: string): number => told.push(line);
    const both = await Promise.all([fetch({ onProgress }), fetch({ onProgress })]);
    expect(both.map(({ fetchedFiles }) => fetchedFiles).sort()).toEqual([0, 2]);
    expect(told).toEqual(["Another command is downloading these results. Waiting for it"]);
    expect(await withoutRecord()).toEqual(await contents(remote()));
    expect(await readdir(join(place.local, "results"))).toEqual(["exp"]);
  });

  it("passes over a download that died, and stops waiting when it is told to", async () => {
    await fill(remote(), { a: "1" });
    const held = join(place.local, "results/.partial-exp.lock");
    await mkdir(held, { recursive: true });
    await expect(fetch({ signal: AbortSignal.timeout(300) })).rejects.toThrow("timeout");
    const past = new Date(Date.now() - 11_000);
    await utimes(held, past, past);
    await fetch();
    expect(await readdir(join(place.local, "results"))).toEqual(["exp"]);
  });

  it("gives up where another took over while it stood still", async () => {
    await fill(remote(), { a: "1" });
    place.relay.stall();
    const overtaken = expect(fetch({}, through())).rejects.toThrow("took over");
    const held = join(place.local, "results/.partial-exp.lock");
    await vi.waitFor(() => stat(held));
    await rm(held, { recursive: true });
    await overtaken;
    place.relay.accept();
    await fetch();
    expect(await withoutRecord()).toEqual({ a: "1" });
  });

  it.each([
    ["a large file packed", 150_000, undefined, [0, 0.9]],
    ["a small one packed", 4_000, "exit 1", [0, 0.9]],
    ["what cannot be packed as it is", 150_000, "exit 1", [1, 1.1]],
  ])("brings %s", async (_, lines, zstd, [least = 0, most = 1]) => {
    const line = (step: number): string => `{"step": ${step}, "loss": ${Math.sin(step)}, "lr": 0.001}\n`;
    const text = Array.from({ length: lines }, (_, step) => line(step)).join("");
    await fill(remote(), { "metrics.jsonl": text });
    const program = join(place.sshd.bin, "zstd");
    if (zstd !== undefined) await writeFile(program, `#!/bin/bash\n${zstd}\n`, { mode: 0o755 });
    const before = place.relay.received;
    try {
      await fetch({}, through());
    } finally {
      await rm(program, { force: true });
    }
    expect(await readFile(final("metrics.jsonl"), "utf8")).toBe(text);
    const share = (place.relay.received - before) / text.length;
    expect(share).toBeGreaterThan(least);
    expect(share).toBeLessThan(most);
  });

  it("survives a crash between the renames", async () => {
    await fill(remote(), { a: "1" });
    await fetch();
    await rename(final(), join(place.local, "results/.old-exp"));
    await rm(remote("a"));
    await fill(remote(), { b: "2" });
    await fetch();
    expect(await withoutRecord()).toEqual({ b: "2" });
    expect(await readdir(join(place.local, "results"))).toEqual(["exp"]);
  });

  it("takes a true prefix of a log that grows", async () => {
    await fill(remote(), { "train.log": "line\n" });
    const growing = place.session.exec(
      `end=$((SECONDS + 3)); while [ $SECONDS -lt $end ]; do seq 1 2000 >>${place.root}/train.log; done`,
    );
    for (let i = 0; i < 3; i++) {
      const { unstable } = await fetch();
      expect(unstable).toEqual([]);
      const text = await readFile(final("train.log"), "utf8");
      expect((await readFile(remote("train.log"), "utf8")).startsWith(text)).toBe(true);
    }
    await growing;
  });

  it("brings home what a link below a linked folder leads to, where it would lead elsewhere from its place", async () => {
    const disk = join(place.sshd.home, `${place.root}-disk`);
    await fill(disk, { "weights/w.pt": "weights", "ckpts/last.pt": "last" });
    await symlink("../weights/w.pt", join(disk, "ckpts/best.pt"));
    await symlink("last.pt", join(disk, "ckpts/latest.pt"));
    await fill(remote(), { log: "a log" });
    await symlink(join(disk, "ckpts"), remote("ckpts"));
    await fetch();
    expect(await withoutRecord()).toEqual({
      log: "a log",
      "ckpts/best.pt": "weights",
      "ckpts/last.pt": "last",
      "ckpts/latest.pt": "-> last.pt",
    });
  });

  it("leaves out links without content, and tells of them once", async () => {
    await fill(remote(), { "best.pt": "content", "sub/log": "a log" });
    await symlink("/nowhere/x", remote("dead"));
    await symlink("itself", remote("itself"));
    await symlink("best.pt/x", remote("below-a-file"));
    await symlink(remote(), remote("around"));
    await symlink("../..", remote("sub/up"));
    await fill(join(place.sshd.home, `${place.root}-earlier`), { log: "of the first attempt" });
    await symlink("/nowhere/y", join(place.sshd.home, `${place.root}-earlier`, "dead"));
    const told: string[] = [];
    const done = await fetch({
      also: { "earlier/1": `${place.root}-earlier` },
      runEnded: true,
      onProgress: (line) => told.push(line),
    });
    expect(done.unstable).toEqual([]);
    expect(await withoutRecord()).toEqual({
      "best.pt": "content",
      "sub/log": "a log",
      "earlier/1/log": "of the first attempt",
      // They lead to a place within the results.
      "below-a-file": "-> best.pt/x",
      itself: "-> itself",
    });
    expect(told).toEqual([
      'Skipped links that lead nowhere, or to a folder that holds them (4): "around", "dead", "sub/up" and 1 more',
    ]);
  });

  it("names files that cannot be opened, and refuses to go without them once the run has ended", async () => {
    await fill(remote(), { open: "o", "locked.pt": "l", "closed/a": "a" });
    for (const path of ["locked.pt", "closed"]) await chmod(remote(path), 0);
    const python = join(place.sshd.bin, "python3");
    // Root reads everything, unless it gives that right away.
    const plain = 'setpriv --bounding-set=-dac_override,-dac_read_search /usr/bin/python3 "$@"';
    await writeFile(python, `#!/bin/bash\n[ "$(id -u)" = 0 ] && exec ${plain}\nexec /usr/bin/python3 "$@"\n`, {
      mode: 0o755,
    });
    try {
      expect((await fetch()).unstable.toSorted()).toEqual(["closed", "locked.pt"]);
      const message =
        /can't be opened on the instance \(2\): "closed", "locked\.pt"\. .*Make them readable.*sudo chown -R \w+:/;
      await expect(fetch({ runEnded: true })).rejects.toThrow(message);
    } finally {
      await rm(python);
      await chmod(remote("closed"), 0o755);
      await chmod(remote("locked.pt"), 0o644);
    }
    expect((await fetch({ runEnded: true })).unstable).toEqual([]);
  });

  it("tells files that keep changing, and refuses them once the run has ended", async () => {
    await fill(remote(), { stable: "s" });
    const changing = place.session.exec(
      `while [ ! -f ${place.root}.stop ]; do dd if=/dev/urandom of=${place.root}/state bs=1M count=20 conv=notrunc status=none; done`,
      { timeoutSeconds: 60 },
    );
    await vi.waitFor(async () => expect((await stat(remote("state"))).size).toBe(20 << 20), { timeout: 10_000 });
    const { unstable } = await fetch();
    expect(unstable).toContain("state");
    expect(await withoutRecord()).toEqual({ stable: "s" });
    await expect(fetch({ runEnded: true })).rejects.toThrow(
      /Files kept changing, although the run has ended \(1\): "state"/,
    );
    expect(await withoutRecord()).toEqual({ stable: "s" });
    await writeFile(join(place.sshd.home, `${place.root}.stop`), "");
    await changing;
    expect((await fetch({ runEnded: true })).unstable).toEqual([]);
  });
});
