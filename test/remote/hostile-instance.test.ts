import { createHash } from "node:crypto";
import { lstat, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { deflateSync } from "node:zlib";
import { afterEach, describe, expect, it } from "vitest";
import { emptySha256 } from "../../local/folder/manifest";
import { type Downloaded, type DownloadTreeOptions, downloadTree } from "../../remote/transfer/download";
import { HostileStreamError } from "../../remote/transfer/hostile";
import { useTransferPlace } from "./transfer-place";

const place = useTransferPlace();

describe("a hostile instance", () => {
  const sha256 = "03ac674216f3e15c761ee1a5e255f067953623c8b388b4459e13f978d7c846f4";
  const entry = (path: string, more: object = {}): object => ({ path, size: 4, sha256, executable: false, ...more });
  /** A file whose checksum comes after its content. */
  const large = (path: string, number = 0): object => entry(path, { sha256: undefined, key: `${number}`.repeat(32) });

  const piece = (kind: number, number: number, content: Buffer | string = ""): Buffer => {
    const head = Buffer.alloc(9);
    head.writeUInt8(kind);
    head.writeUInt32BE(number, 1);
    head.writeUInt32BE(Buffer.byteLength(content), 5);
    return Buffer.concat([head, Buffer.from(content)]);
  };
  const block = (content: Buffer, packing = 0, packed = content, size = content.length): Buffer => {
    const head = Buffer.alloc(9);
    head.writeUInt8(packing);
    head.writeUInt32BE(packed.length, 1);
    head.writeUInt32BE(size, 5);
    return Buffer.concat([head, packed]);
  };
  const entries = (...all: readonly object[]): Buffer => piece(0, 0, JSON.stringify(all));
  const content = (number: number, text: string | Buffer): Buffer => piece(1, number, text);
  const hashOf = (number: number): string => createHash("sha256").update(`${number}`).digest("hex");
  const sum = (number: number, of: string): Buffer => piece(2, number, createHash("sha256").update(of).digest());
  const end = (lists: object = { skipped: [], hollow: [] }): Buffer => piece(4, 0, JSON.stringify(lists));

  /** A python3 that sends this to whoever asks for results. */
  const sending = async (...blocks: readonly Buffer[]): Promise<void> => {
    await writeFile(join(place.sshd.bin, "stream"), Buffer.concat(blocks));
    await fake(`cat ${join(place.sshd.bin, "stream")}`);
  };
  const fake = (command: string): Promise<void> => {
    const script = `#!/bin/bash\ncase "$*" in\n*" send") read -r document; ${command} ;;\n*) exec /usr/bin/env -i PATH=/usr/bin python3 "$@" ;;\nesac\n`;
    return writeFile(join(place.sshd.bin, "python3"), script, { mode: 0o755 });
  };
  const fetch = (options: Partial<DownloadTreeOptions> = {}): Promise<unknown> =>
    downloadTree(place.session, {
      remoteRoot: place.root,
      localFinal: join(place.local, "out/exp"),
      ...options,
    }).catch((e: unknown) => e);
  const listed = block(entries(entry("a")));
  const ended = block(end());

  afterEach(() => rm(join(place.sshd.bin, "python3"), { force: true }));

  it.each([
    ["as it is", listed],
    ["packed", block(entries(entry("a")), 1, deflateSync(entries(entry("a"))))],
  ])("is heard when honest, its listing %s", async (_, listing) => {
    await sending(listing, block(content(0, "1234")), ended);
    expect(await fetch()).toMatchObject({ files: 1, unstable: [] });
  });

  it("is heard when a checksum comes after the content, in pieces", async () => {
    await sending(
      block(entries(large("a"))),
      block(Buffer.concat([content(0, "12"), content(0, "34"), sum(0, "1234")])),
      ended,
    );
    const downloaded = await fetch();
    expect(downloaded).toMatchObject({ files: 1 });
    expect([...(downloaded as Downloaded).entries()]).toMatchObject([{ path: "a", sha256 }]);
  });

  const bomb = deflateSync(Buffer.alloc(100 << 20));
  const streams: Record<string, readonly Buffer[]> = {
    "content before its listing": [block(content(0, "1234")), listed],
    "content that was not asked for": [listed, block(content(7, "1234"))],
    "content of a link": [block(entries(entry("l", { link: "a" }))), block(content(0, "1"))],
    "content of a folder": [
      block(entries({ path: "d", folder: true, size: 0, sha256: emptySha256, executable: false })),
      block(content(0, "")),
    ],
    "more than it listed": [listed, block(content(0, "12345678"))],
    "more than it listed, in pieces": [listed, block(Buffer.concat([content(0, "123"), content(0, "45")]))],
    "the same twice": [listed, block(Buffer.concat([content(0, "1234"), content(0, "1234")]))],
    "two files at once": [
      block(entries(entry("a"), entry("b", { sha256: emptySha256 }))),
      block(Buffer.concat([content(0, "12"), content(1, "12")])),
    ],
    "a checksum of what has one": [listed, block(Buffer.concat([content(0, "12"), sum(0, "12")]))],
    "a checksum of half the content": [
      block(entries(large("a"))),
      block(Buffer.concat([content(0, "12"), sum(0, "12")])),
    ],
    "a checksum without content": [block(entries(large("a"))), block(sum(0, ""))],
    "nothing, as a part of a file": [listed, block(content(0, ""))],
    "nothing, as a list": [block(entries())],
    "nothing at all, as a list": [block(piece(0, 0))],
    "nothing, as a part of its end": [block(piece(4, 1))],
    "a piece of no kind": [listed, block(piece(9, 0))],
    "a piece that is longer than its block": [listed, block(content(0, "1234").subarray(0, 11))],
    "a block that is longer than any": [listed, block(Buffer.alloc(9 << 20))],
    "a block that unpacks to more than it says": [listed, block(content(0, "1234"), 1, bomb, 8 << 20)],
    "a block that unpacks to less than it says": [
      listed,
      block(content(0, "1234"), 1, deflateSync(content(0, "")), 99),
    ],
    "a block that is packed in no way": [listed, block(content(0, "1234"), 7)],
    "a block that cannot be unpacked": [listed, block(content(0, "1234"), 1)],
  };
  it.each(Object.entries(streams))("that sends %s is refused", async (_, stream) => {
    await sending(...stream, ended);
    expect(await fetch()).toBeInstanceOf(HostileStreamError);
    await expect(lstat(join(place.local, "out/exp"))).rejects.toThrow("ENOENT");
    expect(await readdir(place.local)).toEqual(["out"]);
  });

  it("is heard when its end comes in parts", async () => {
    const text = JSON.stringify({ skipped: [], hollow: [] });
    await sending(
      listed,
      block(content(0, "1234")),
      block(piece(4, 1, text.slice(0, 9))),
      block(piece(4, 0, text.slice(9))),
    );
    expect(await fetch()).toMatchObject({ files: 1, unstable: [] });
  });

  it("that goes on after its end is refused", async () => {
    await sending(ended, listed);
    expect(String(await fetch())).toMatch(/are refused/);
  });

  const listings: Record<string, readonly object[]> = {
    "a path that climbs": [entry("../evil")],
    "an absolute path": [entry("/etc/evil")],
    "a link that leads out": [entry("l", { link: "../../.ssh/id" })],
    "a negative size": [entry("a", { size: -1 })],
    "no checksum": [entry("a", { sha256: "../../x" })],
    "neither checksum nor key": [entry("a", { sha256: undefined })],
    "a key that is a path": [entry("a", { sha256: undefined, key: "../../x" })],
  };
  it.each(Object.entries(listings))("that lists %s is refused", async (_, all) => {
    await sending(block(entries(...all)), ended);
    expect(String(await fetch())).toMatch(/is refused/);
  });

  const of = (number: number, text = "1234"): Buffer => Buffer.concat([content(number, text), sum(number, text)]);
  const contradictions: Record<string, readonly [listed: readonly object[], sent: readonly Buffer[]]> = {
    "something below a link": [[entry("l", { link: "x" }), entry("l/y")], [content(1, "1234")]],
    "a link above something": [[entry("l/y"), entry("l", { link: "x" })], [content(0, "1234")]],
    "something below a file": [[entry("a"), entry("a.b"), entry("a/y")], [content(0, "1234")]],
    "something below a file, with content": [
      [entry("a"), { ...large("a/y"), size: 5 }],
      [content(0, "1234"), of(1, "12345")],
    ],
    "a path twice": [[entry("a"), entry("a")], [content(0, "1234")]],
    "a large file twice": [
      [large("a"), { ...large("a", 1), size: 5 }],
      [of(0), of(1, "12345")],
    ],
    "a path twice, once as another file": [
      [large("a"), entry("a")],
      [of(0), content(1, "9999")],
    ],
  };
  it.each(Object.entries(contradictions))("that lists %s is refused, whatever it sends", async (_, [all, sent]) => {
    await sending(block(entries(...all)), ...sent.map((each) => block(each)), ended);
    expect(String(await fetch())).toMatch(/is refused/);
    await expect(lstat(join(place.local, "out/exp"))).rejects.toThrow("ENOENT");
  });

  it("that lists no end of files, and sends none of them, is refused", async () => {
    const some = (from: number): Buffer =>
      block(
        entries(...Array.from({ length: 10_000 }, (_, at) => entry(`${from + at}`, { sha256: hashOf(from + at) }))),
      );
    await sending(...Array.from({ length: 11 }, (_, at) => some(10_000 * at)));
    expect(await fetch()).toBeInstanceOf(HostileStreamError);
  });

  it("that cannot send is heard in its own words", async () => {
    await fake("echo 'disk went away' >&2; exit 5");
    expect(await fetch()).toMatchObject({
      facts: { kind: "exit", code: 5 },
      message: expect.stringContaining("disk went away"),
    });
  });

  it("that ends its listing early is not believed", async () => {
    await sending(listed, block(content(0, "1234")));
    expect(String(await fetch())).toMatch(/ended too early/);
  });

  it("that does not send all that it listed is not believed", async () => {
    await sending(listed, ended);
    expect(String(await fetch())).toMatch(/ended too early/);
  });

  it.each([
    ["none of links without content", { skipped: [] }],
    ["something else as links without content", { skipped: [], hollow: "a" }],
    ["something else as files that cannot be opened", { skipped: {}, hollow: [] }],
  ])("that lists %s is not believed", async (_, lists) => {
    await sending(listed, block(content(0, "1234")), block(end(lists)));
    expect(String(await fetch())).toMatch(/ended too early/);
  });

  it("that names what is no path, or what a terminal would obey, does no harm with it", async () => {
    const names = ["../evil", 7, null, ["x"], "", "a\u001b[2J\u009b1m", "b".repeat(255), `${"c/".repeat(2000)}c`];
    await sending(listed, block(content(0, "1234")), block(end({ skipped: names, hollow: names })));
    const told: string[] = [];
    const error = await fetch({ runEnded: true, onProgress: (line) => told.push(line) });
    const shown = '"a\\u001b[2J\\u009b1m"';
    expect(told).toEqual([expect.stringMatching(/holds them \(3\): .{1,500}$/)]);
    expect(told[0]).toContain(`(3): ${shown}, "${"b".repeat(200)}", `);
    expect(String(error)).toContain(`Files or folders can't be opened on the instance (3): ${shown}, `);
  });

  it("that sends other content than it lists keeps the final folder away", async () => {
    await sending(listed, block(content(0, "9999")), ended);
    expect(await fetch()).toMatchObject({ files: 0, unstable: ["a"] });
  });

  it("that sends another checksum than that of its content keeps the final folder away", async () => {
    await sending(block(entries(large("a"))), block(Buffer.concat([content(0, "1234"), sum(0, "9999")])), ended);
    expect(await fetch()).toMatchObject({ files: 0, unstable: ["a"] });
  });
});
