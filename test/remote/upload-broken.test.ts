import { appendFile, open, readdir, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { hashFile } from "../../local/folder/hashes";
import { walkAll, walkCode } from "../../local/folder/walk";
import { SshError, SshSession } from "../../remote/session";
import { Talk } from "../../remote/transfer/talk";
import { type Uploaded, uploadArchive, uploadTree } from "../../remote/transfer/upload";
import { contents, fill, random, useTransferPlace } from "./transfer-place";

const place = useTransferPlace();
const { remote, send, through } = place;
const staging = (): string => join(place.sshd.home, ".lambda-train/staging", place.root);

describe("an upload that breaks off", () => {
  it("remembers what it had put even where putting it into place broke off", async () => {
    await fill(remote(), { "z/theirs": "in the way" });
    await fill(place.local, { a: "placed", z: "a file" });
    await expect(send()).rejects.toThrow("move them away");
    expect(await contents(remote())).toEqual({ a: "placed", "z/theirs": "in the way" });
    await rm(join(place.local, "a"));
    await rm(remote("z"), { recursive: true });
    expect(await send()).toMatchObject({ sentFiles: 0, removed: 1 });
    expect(await contents(remote())).toEqual({ z: "a file" });
  });

  it("goes on after a cut with what had not arrived, and shows nothing half-written meanwhile", async () => {
    const files = Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`f${i}`, random(200_000, i + 1)]));
    await fill(place.local, { ...files, old: "first" });
    await rm(join(place.local, "f0"));
    await uploadTree(place.session, {
      tree: await walkCode(place.local, { protectedPaths: Object.keys(files) }),
      remoteRoot: place.root,
      name: place.root,
    });
    // More than all buffers on the way: what is in them when the connection breaks is lost.
    place.relay.cutAfter(15_000_000);
    const error = await send(await SshSession.connect(through())).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(SshError);
    expect((error as SshError).facts.kind).toBe("lost");
    expect(await contents(remote())).toEqual({ old: "first" });
    const again = await send();
    expect(again.sentFiles).toBeGreaterThan(20);
    expect(again.sentFiles).toBeLessThan(100);
    expect(await contents(remote())).toEqual(await contents(place.local));
    await expect(stat(staging())).rejects.toThrow("ENOENT");
  });

  it("makes lost connections again by itself when given an access", async () => {
    await fill(
      place.local,
      Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`f${i}`, random(100_000, i + 50)])),
    );
    place.relay.cutAfter(700_000);
    const told: string[] = [];
    await uploadTree(through(), {
      tree: await walkAll(place.local),
      remoteRoot: place.root,
      name: place.root,
      onProgress: (line) => told.push(line),
    });
    expect(told.join()).toContain("Trying again");
    expect(await contents(remote())).toEqual(await contents(place.local));
  });

  it("goes on for as long as each try brings some of the files over", async () => {
    await fill(
      place.local,
      Object.fromEntries(Array.from({ length: 250 }, (_, i) => [`f${i}`, random(150_000, i + 1)])),
    );
    // More than all buffers on the way, as above.
    const cut = (): void => place.relay.cutAfter(4_000_000);
    const told: string[] = [];
    cut();
    await uploadTree(through(), {
      tree: await walkAll(place.local),
      remoteRoot: place.root,
      name: place.root,
      onProgress: (line) => {
        if (told.push(line) < 7) cut();
      },
    });
    expect(told).toHaveLength(7);
    expect(await contents(remote())).toEqual(await contents(place.local));
  });

  it("goes on in the middle of a file, which counts as progress, also from another call", async () => {
    await fill(place.local, { "1": "small", "2": random(24_000_000, 2) });
    // More than all buffers on the way, as above.
    const cut = (): void => place.relay.cutAfter(6_000_000);
    const told: string[] = [];
    const stop = new AbortController();
    const upload = async (signal?: AbortSignal): Promise<Uploaded> =>
      uploadTree(through(), {
        tree: await walkAll(place.local),
        remoteRoot: place.root,
        name: place.root,
        signal,
        onProgress: (line) => {
          if (told.push(line) < 2) cut();
          else stop.abort(new Error("seen enough"));
        },
      });
    cut();
    await expect(upload(stop.signal)).rejects.toThrow("seen enough");
    expect(told.map((line) => /in \d+ s/.exec(line)?.[0])).toEqual(["in 1 s", "in 1 s"]);
    await expect(stat(remote())).rejects.toThrow("ENOENT");
    const { sentFiles, sentBytes } = await upload();
    expect(sentFiles).toBe(1);
    expect(sentBytes).toBeLessThan(20_000_000);
    expect(await contents(remote())).toEqual(await contents(place.local));
  });

  it("takes what arrived of a file for what it is", async () => {
    await fill(place.local, { big: random(12_000_000, 2) });
    const abort = async (): Promise<void> => {
      place.relay.cutAfter(6_000_000);
      await expect(send(await SshSession.connect(through()))).rejects.toThrow("lost");
    };
    await abort();
    // As a power cut may leave it.
    const [tree = ""] = await readdir(staging());
    const part = await open(join(staging(), tree, "big"), "r+");
    await part.write(Buffer.alloc(1000), 0, 1000, 5000);
    await part.close();
    expect(await send()).toMatchObject({ sentFiles: 2 });
    expect(await contents(remote())).toEqual(await contents(place.local));
    await fill(place.local, { big: random(12_000_000, 3) });
    await abort();
    await fill(place.local, { big: random(12_000_001, 4) });
    await send();
    expect(await contents(remote())).toEqual(await contents(place.local));
  });

  it("is not kept waiting by one whose connection died before its manifest came", async () => {
    const document = { name: place.root, root: place.root, hash: "h", protected: [] };
    const silent = await Talk.start(place.session, { verb: "upload-apply", document }, 0);
    await silent.hear("Comparing");
    await fill(place.local, { a: "1" });
    await send();
    expect(await contents(remote())).toEqual({ a: "1" });
    silent.close();
  });

  it("sees a file that changes under its hands", async () => {
    await fill(place.local, { stable: "s", moving: random(50_000, 3) });
    const tree = await walkAll(place.local);
    await fill(place.local, { moving: random(50_000, 4) });
    await expect(uploadTree(place.session, { tree, remoteRoot: place.root, name: place.root })).rejects.toThrow(
      /moving among them[\s\S]*run the command again/,
    );
    await fill(place.local, { moving: "short" });
    await expect(uploadTree(place.session, { tree, remoteRoot: place.root, name: place.root })).rejects.toThrow(
      "got shorter",
    );
    await rm(join(place.local, "moving"));
    await expect(uploadTree(place.session, { tree, remoteRoot: place.root, name: place.root })).rejects.toThrow(
      "can't be read",
    );
    await expect(stat(remote("stable"))).rejects.toThrow("ENOENT");
  });

  it("tells in its own words why the instance cannot take it", async () => {
    await fill(place.local, { big: random(8_000_000, 1) });
    // In place of a disk that is full.
    const python = join(place.sshd.bin, "python3");
    await writeFile(
      python,
      '#!/bin/sh\nulimit -f 4000; exec /usr/bin/env -S PATH=/usr/local/bin:/usr/bin:/bin python3 "$@"\n',
      {
        mode: 0o755,
      },
    );
    const error = await send().catch((e: unknown) => e);
    await rm(python);
    expect((error as SshError).facts).toMatchObject({ kind: "exit", code: 1, retryable: false });
    expect((error as SshError).message).toContain("File too large");
  });

  it("one archive goes on at the byte where it broke and is checked", async () => {
    const archive = join(place.local, "data.tar");
    await writeFile(archive, random(20_000_000, 9));
    const sha256 = await hashFile(archive);
    place.relay.cutAfter(12_000_000);
    const options = { localArchive: archive, remotePath: `${place.root}/in/data.tar`, sha256 };
    const error = await uploadArchive(await SshSession.connect(through()), options).catch((e: unknown) => e);
    expect((error as SshError).facts.kind).toBe("lost");
    await expect(stat(remote("in/data.tar"))).rejects.toThrow("ENOENT");
    const { sentBytes } = await uploadArchive(place.session, options);
    expect(sentBytes).toBeLessThan(14_000_000);
    expect(await hashFile(remote("in/data.tar"))).toBe(sha256);
    expect((await uploadArchive(place.session, options)).sentBytes).toBe(0);
    // What lies there from an earlier try may be of another file.
    await rename(remote("in/data.tar"), remote("in/data.tar.part"));
    await appendFile(archive, "more");
    await writeFile(remote("in/data.tar.part"), random(1000, 1));
    await uploadArchive(place.session, { ...options, sha256: await hashFile(archive) });
    expect(await hashFile(remote("in/data.tar"))).toBe(await hashFile(archive));
    await expect(uploadArchive(place.session, { ...options, sha256: "0".repeat(64) })).rejects.toThrow(
      "changed during the upload",
    );
  });
});
