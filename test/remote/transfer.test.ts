import { createCipheriv, createHash } from "node:crypto";
import {
  appendFile,
  chmod,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rename,
  rm,
  stat,
  symlink,
  utimes,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { SshError, SshSession } from "../../remote/session";
import { type Downloaded, type DownloadTreeOptions, downloadTree, verifyResults } from "../../remote/transfer/download";
import { hashFile } from "../../remote/transfer/hashes";
import { HostileStreamError } from "../../remote/transfer/taker";
import { type Uploaded, uploadArchive, uploadTree } from "../../remote/transfer/upload";
import { walkAll, walkCode } from "../../remote/transfer/walk";
import { type Relay, startRelay } from "../support/relay";
import { startSshd, type TestSshd } from "../support/sshd";

let sshd: TestSshd;
let session: SshSession;
let relay: Relay;
let local: string;
let number = 0;
let root: string;

beforeAll(async () => {
  sshd = await startSshd();
  session = await SshSession.connect(sshd.access);
  relay = await startRelay(sshd.access.port);
});

afterAll(async () => {
  session?.close();
  await relay?.close();
  await sshd?.stop();
});

beforeEach(async () => {
  local = await mkdtemp(join(tmpdir(), "lambda-train-transfer-"));
  root = `place-${++number}`;
});

afterEach(async () => {
  await rm(local, { recursive: true, force: true });
});

const nasty = [
  "plain.txt",
  "with space",
  "-rf",
  "--help",
  "new\nline",
  "tab\t",
  "ünï/ко́д/🙂.bin",
  "quote'\"`$(id)",
  ".hidden/.deep",
  "a\\b",
  "*",
  "[x]?",
];

async function fill(folder: string, files: Readonly<Record<string, string | Buffer>>): Promise<void> {
  for (const [path, content] of Object.entries(files)) {
    await mkdir(join(folder, path, ".."), { recursive: true });
    await writeFile(join(folder, path), content);
  }
}

async function contents(folder: string, under = ""): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const item of await readdir(join(folder, under), { withFileTypes: true })) {
    const path = under === "" ? item.name : `${under}/${item.name}`;
    if (item.isDirectory()) {
      Object.assign(found, await contents(folder, path));
    } else {
      found[path] = item.isSymbolicLink()
        ? `-> ${await readlink(join(folder, path))}`
        : await readFile(join(folder, path), "latin1");
    }
  }
  return found;
}

const remote = (path = ""): string => join(sshd.home, root, path);
const through = (): TestSshd["access"] => ({ ...sshd.access, port: relay.port });
/** Bytes that do not compress, the same for the same seed. */
const random = (bytes: number, seed: number): Buffer =>
  createCipheriv("aes-128-ctr", Buffer.alloc(16, seed), Buffer.alloc(16)).update(Buffer.alloc(bytes));

describe("upload", () => {
  const send = async (
    target: SshSession | TestSshd["access"] = session,
    options: { protectedPaths?: string[] } = {},
  ): Promise<Uploaded> => uploadTree(target, { tree: await walkAll(local), remoteRoot: root, name: root, ...options });

  it("brings every name, link and mode over", async () => {
    await fill(local, Object.fromEntries(nasty.map((name) => [name, `content of ${name}`])));
    await fill(local, { "tool.sh": "#!/bin/sh\n", empty: "", twin: "content of plain.txt" });
    await chmod(join(local, "tool.sh"), 0o755);
    await symlink("../plain.txt", join(local, ".hidden/link"));
    expect((await send()).sentFiles).toBe(nasty.length + 2);
    expect(await contents(remote())).toEqual(await contents(local));
    expect((await stat(remote("tool.sh"))).mode & 0o111).toBe(0o111);
    expect((await stat(remote("plain.txt"))).mode & 0o111).toBe(0);
    expect((await stat(remote("twin"))).ino).not.toBe((await stat(remote("plain.txt"))).ino);
  });

  it("sends again only what changed and removes only what it had put", async () => {
    await fill(local, { a: "1", "gone/deep/b": "2", "data/c": "3", kept: "4" });
    await send();
    await fill(remote(), { "gone/theirs": "x", "outputs/best.pt": "y" });
    expect(await send()).toMatchObject({ sentFiles: 0, removed: 0 });
    await rm(join(local, "gone"), { recursive: true });
    await rm(join(local, "data"), { recursive: true });
    await fill(local, { a: "changed" });
    expect(await send(session, { protectedPaths: ["./data/"] })).toMatchObject({
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
    await fill(local, { a: "1111", b: "2222" });
    await send();
    await writeFile(remote("a"), "9999");
    await rm(remote("b"));
    expect(await send()).toMatchObject({ sentFiles: 2 });
    expect(await contents(remote())).toEqual({ a: "1111", b: "2222" });
  });

  it("takes a change of mode, and of a file into a folder or link and back", async () => {
    await fill(local, { "x/y": "in a folder", tool: "t" });
    await send();
    await rm(join(local, "x"), { recursive: true });
    await fill(local, { x: "a file" });
    await chmod(join(local, "tool"), 0o755);
    await send();
    expect(await contents(remote())).toEqual({ x: "a file", tool: "t" });
    expect((await stat(remote("tool"))).mode & 0o100).toBe(0o100);
    await rm(join(local, "x"));
    await symlink("tool", join(local, "x"));
    await send();
    await rm(join(local, "x"));
    await fill(local, { "x/y": "again" });
    await send();
    expect(await contents(remote())).toEqual({ "x/y": "again", tool: "t" });
  });

  it("tells what is in the way instead of deleting it", async () => {
    await fill(remote(), { "x/theirs": "keep me" });
    await fill(local, { x: "a file" });
    await expect(send()).rejects.toThrow("move them away");
    expect(await contents(remote())).toEqual({ "x/theirs": "keep me" });
  });

  it("remembers what it had put even where putting it into place broke off", async () => {
    await fill(remote(), { "z/theirs": "in the way" });
    await fill(local, { a: "placed", z: "a file" });
    await expect(send()).rejects.toThrow("move them away");
    expect(await contents(remote())).toEqual({ a: "placed", "z/theirs": "in the way" });
    await rm(join(local, "a"));
    await rm(remote("z"), { recursive: true });
    expect(await send()).toMatchObject({ sentFiles: 0, removed: 1 });
    expect(await contents(remote())).toEqual({ z: "a file" });
  });

  it("goes on after a cut with what had not arrived, and shows nothing half-written meanwhile", async () => {
    const files = Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`f${i}`, random(200_000, i + 1)]));
    await fill(local, { ...files, old: "first" });
    await rm(join(local, "f0"));
    await uploadTree(session, {
      tree: await walkCode(local, { protectedPaths: Object.keys(files) }),
      remoteRoot: root,
      name: root,
    });
    // More than all buffers on the way: what is in them when the connection breaks is lost.
    relay.cutAfter(15_000_000);
    const error = await send(await SshSession.connect(through())).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(SshError);
    expect((error as SshError).facts.kind).toBe("lost");
    expect(await contents(remote())).toEqual({ old: "first" });
    const again = await send();
    expect(again.sentFiles).toBeGreaterThan(20);
    expect(again.sentFiles).toBeLessThan(100);
    expect(await contents(remote())).toEqual(await contents(local));
    await expect(stat(join(sshd.home, ".lambda-train/staging", root))).rejects.toThrow("ENOENT");
  });

  it("makes lost connections again by itself when given an access", async () => {
    await fill(local, Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`f${i}`, random(100_000, i + 50)])));
    relay.cutAfter(700_000);
    const told: string[] = [];
    await uploadTree(through(), {
      tree: await walkAll(local),
      remoteRoot: root,
      name: root,
      onProgress: (line) => told.push(line),
    });
    expect(told.join()).toContain("Trying again");
    expect(await contents(remote())).toEqual(await contents(local));
  });

  it("sees a file that changes under its hands", async () => {
    await fill(local, { stable: "s", moving: random(50_000, 3) });
    const tree = await walkAll(local);
    await fill(local, { moving: random(50_000, 4) });
    await expect(uploadTree(session, { tree, remoteRoot: root, name: root })).rejects.toThrow(
      /moving among them[\s\S]*run the command again/,
    );
    await fill(local, { moving: "short" });
    await expect(uploadTree(session, { tree, remoteRoot: root, name: root })).rejects.toThrow("got shorter");
    await rm(join(local, "moving"));
    await expect(uploadTree(session, { tree, remoteRoot: root, name: root })).rejects.toThrow("cannot be read");
    await expect(stat(remote("stable"))).rejects.toThrow("ENOENT");
  });

  it("tells in its own words why the instance cannot take it", async () => {
    await fill(local, { big: random(8_000_000, 1) });
    await writeFile(
      join(sshd.bin, "tar"),
      "#!/bin/sh\nhead -c 1000000 >/dev/null; echo 'tar: big: No space left on device' >&2; exit 2\n",
      { mode: 0o755 },
    );
    const error = await send().catch((e: unknown) => e);
    await rm(join(sshd.bin, "tar"));
    expect((error as SshError).facts).toMatchObject({ kind: "exit", code: 2, retryable: false });
    expect((error as SshError).message).toContain("No space left on device");
  });

  it("writes content that comes from the plan over the disk's", async () => {
    await fill(local, { "configs/c.yaml": "old", ".gitignore": "*.yaml" });
    const tree = await walkCode(local, {
      extraFiles: { "configs/c.yaml": "new: ü\n", "configs/d.yaml": "x".repeat(200_000) },
    });
    await uploadTree(session, { tree, remoteRoot: root, name: root });
    expect(await readFile(remote("configs/c.yaml"), "utf8")).toBe("new: ü\n");
    expect((await stat(remote("configs/d.yaml"))).size).toBe(200_000);
  });

  it("one archive goes on at the byte where it broke and is checked", async () => {
    const archive = join(local, "data.tar");
    await writeFile(archive, random(20_000_000, 9));
    const sha256 = await hashFile(archive);
    relay.cutAfter(12_000_000);
    const options = { localArchive: archive, remotePath: `${root}/in/data.tar`, sha256 };
    const error = await uploadArchive(await SshSession.connect(through()), options).catch((e: unknown) => e);
    expect((error as SshError).facts.kind).toBe("lost");
    await expect(stat(remote("in/data.tar"))).rejects.toThrow("ENOENT");
    const { sentBytes } = await uploadArchive(session, options);
    expect(sentBytes).toBeLessThan(14_000_000);
    expect(await hashFile(remote("in/data.tar"))).toBe(sha256);
    expect((await uploadArchive(session, options)).sentBytes).toBe(0);
    // What lies there from an earlier try may be of another file.
    await rename(remote("in/data.tar"), remote("in/data.tar.part"));
    await appendFile(archive, "more");
    await writeFile(remote("in/data.tar.part"), random(1000, 1));
    await uploadArchive(session, { ...options, sha256: await hashFile(archive) });
    expect(await hashFile(remote("in/data.tar"))).toBe(await hashFile(archive));
    await expect(uploadArchive(session, { ...options, sha256: "0".repeat(64) })).rejects.toThrow("was changed while");
  });
});

describe("download", () => {
  const final = (path = ""): string => join(local, "results/exp", path);
  const fetch = (
    options: Partial<DownloadTreeOptions> = {},
    target: SshSession | TestSshd["access"] = session,
  ): Promise<Downloaded> => downloadTree(target, { remoteRoot: root, localFinal: final(), ...options });
  const withoutRecord = async (): Promise<Record<string, string>> => {
    const { "manifest.json": _, ...rest } = await contents(final());
    return rest;
  };

  it("brings every name, link and mode home, with a record that verifies", async () => {
    await fill(remote(), Object.fromEntries(nasty.map((name) => [name, `content of ${name}`])));
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
    expect(await verifyResults(final())).toMatchObject({ ok: true, source: `${sshd.access.user}@127.0.0.1:${root}` });
    expect(await readdir(join(local, "results"))).toEqual(["exp"]);
    await writeFile(final("empty"), "x");
    await rm(final("plain.txt"));
    expect(await verifyResults(final())).toMatchObject({ ok: false, changed: ["empty"], missing: ["plain.txt"] });
    await expect(verifyResults(local)).rejects.toThrow("holds no verified results");
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
    const [first] = (await readdir(join(local, "results"))).filter((name) => name !== "exp");
    expect(await readFile(join(local, "results", first ?? "", "best.pt"), "utf8")).toBe("of the first instance");
  });

  it("brings further places along, and a workload's own manifest.json", async () => {
    await fill(remote(), { "manifest.json": "theirs" });
    await fill(join(sshd.home, `${root}-run`), { "train.log": "a log" });
    await fetch({ also: { "run/train.log": `${root}-run/train.log`, "run/none.log": `${root}-run/none.log` } });
    expect(await withoutRecord()).toEqual({ "manifest.workload.json": "theirs", "run/train.log": "a log" });
    await expect(fetch({ remoteRoot: "" })).rejects.toThrow("whole home folder");
  });

  it("never shows a half download; what arrived is not fetched again", async () => {
    const files = Object.fromEntries(Array.from({ length: 10 }, (_, i) => [`f${i}`, random(100_000, i + 1)]));
    await fill(remote(), { ...files, big: random(20_000_000, 77) });
    relay.cutAfter(16_000_000, "received");
    const error = await fetch({}, await SshSession.connect(through())).catch((e: unknown) => e);
    expect((error as SshError).facts?.kind).toBe("lost");
    await expect(stat(final())).rejects.toThrow("ENOENT");
    expect(await readdir(join(local, "results"))).toEqual([".partial-exp"]);
    const before = relay.received;
    await fetch({}, through());
    expect(relay.received - before).toBeLessThan(20_000_000);
    expect(await withoutRecord()).toEqual(await contents(remote()));
    expect(await readdir(join(local, "results"))).toEqual(["exp"]);
  });

  it("makes lost connections again by itself when given an access", async () => {
    await fill(remote(), { big: random(4_000_000, 12) });
    relay.cutAfter(1_000_000, "received");
    const told: string[] = [];
    await fetch({ onProgress: (line) => told.push(line) }, through());
    expect(told.join()).toContain("Trying again");
    expect(await hashFile(final("big"))).toBe(await hashFile(remote("big")));
  });

  it("checks what an earlier try has left instead of trusting it", async () => {
    await fill(remote(), { a: "right", b: random(600_000, 8) });
    const left = join(local, "results/.partial-exp/objects");
    const name = async (path: string): Promise<string> => hashFile(remote(path));
    await fill(left, { [await name("a")]: "wrong", [`${await name("b")}.part`]: random(1000, 9), junk: "x" });
    await fetch();
    expect(await withoutRecord()).toEqual(await contents(remote()));
  });

  it("survives a crash between the renames", async () => {
    await fill(remote(), { a: "1" });
    await fetch();
    await rename(final(), join(local, "results/.old-exp"));
    await rm(remote("a"));
    await fill(remote(), { b: "2" });
    await fetch();
    expect(await withoutRecord()).toEqual({ b: "2" });
    expect(await readdir(join(local, "results"))).toEqual(["exp"]);
  });

  it("takes a true prefix of a log that grows", async () => {
    await fill(remote(), { "train.log": "line\n" });
    const growing = session.exec(
      `end=$((SECONDS + 3)); while [ $SECONDS -lt $end ]; do seq 1 2000 >>${root}/train.log; done`,
    );
    for (let i = 0; i < 3; i++) {
      const { unstable } = await fetch();
      expect(unstable).toEqual([]);
      const text = await readFile(final("train.log"), "utf8");
      expect((await readFile(remote("train.log"), "utf8")).startsWith(text)).toBe(true);
    }
    await growing;
  });

  it("tells files that keep changing, and refuses them once the run has ended", async () => {
    await fill(remote(), { stable: "s" });
    const changing = session.exec(
      `end=$((SECONDS + 6)); while [ $SECONDS -lt $end ]; do head -c 300000 /dev/urandom >${root}/.t && mv ${root}/.t ${root}/state; done`,
      { timeoutSeconds: 20 },
    );
    const { unstable } = await fetch();
    expect(unstable).toContain("state");
    expect(await withoutRecord()).toEqual({ stable: "s" });
    await expect(fetch({ runEnded: true })).rejects.toThrow(/could not be read as they are.*is (state|\.t)/);
    expect(await withoutRecord()).toEqual({ stable: "s" });
    await changing;
    expect((await fetch({ runEnded: true })).unstable).toEqual([]);
  });
});

describe("a hostile instance", () => {
  /** A python3 that lists one file truthfully and sends a tar of the test's making. */
  const fake = async (listing: string, tar: string): Promise<void> => {
    const script = `#!/bin/bash\ncase "$*" in\n*" list "*) ${listing} ;;\n*" send") cat >/dev/null; ${tar} ;;\n*) exec /usr/bin/env -i PATH=/usr/bin python3 "$@" ;;\nesac\n`;
    await writeFile(join(sshd.bin, "python3"), script, { mode: 0o755 });
  };
  const entry = (path: string, more: object = {}): string => {
    const line = JSON.stringify({
      path,
      size: 4,
      sha256: "5994471abb01112afcc18159f6cc74b4f511b99806da59b3caf5a9c173cacfc5",
      executable: false,
      id: "61",
      ...more,
    });
    return `echo '${line.replaceAll("'", "'\\''")}'`;
  };
  const end = `echo '{"end": true, "skipped": []}'`;
  const honest = `${entry("a")}; ${end}`;
  const fetch = (): Promise<unknown> =>
    downloadTree(session, { remoteRoot: root, localFinal: join(local, "out/exp") }).catch((e: unknown) => e);
  /** Makes a folder in which tar entries of any name can be packed. */
  const packed = (commands: string, what: string): string => `d=$(mktemp -d); cd $d; ${commands}; tar -czf - ${what}`;

  afterEach(() => rm(join(sshd.bin, "python3"), { force: true }));

  it("is heard when honest", async () => {
    await fake(honest, packed("printf 1234 > 0", "0"));
    const error = await fetch();
    expect(error).not.toBeInstanceOf(Error);
  });

  const tars: Record<string, string> = {
    "a path that climbs": packed("printf 1234 > 0", "--transform s,0,../../evil, -P 0"),
    "an absolute path": packed("printf 1234 > 0", "--transform s,0,/tmp/lambda-train-evil, -P 0"),
    "a name not asked for": packed("printf 1234 > 7", "7"),
    "a symbolic link": packed("ln -s /etc/passwd 0", "0"),
    "a hard link": packed("printf 1234 > 1; ln 1 0", "0 1"),
    "a device": packed("mkfifo 0", "0"),
    "another size": packed("printf 12345678 > 0", "0"),
    "the same twice": packed("printf 1234 > 0", "0 --hard-dereference 0"),
  };
  it.each(Object.entries(tars))("that sends %s is refused", async (_, tar) => {
    await fake(honest, tar);
    expect(await fetch()).toBeInstanceOf(HostileStreamError);
    await expect(lstat(join(local, "out/exp"))).rejects.toThrow("ENOENT");
    expect(await readdir(local)).toEqual(["out"]);
    await expect(lstat("/tmp/lambda-train-evil")).rejects.toThrow("ENOENT");
  });

  it("that sends a link for an empty file is refused", async () => {
    const empty = { size: 0, sha256: createHash("sha256").digest("hex") };
    await fake(`${entry("a", empty)}; ${end}`, packed("ln -s /etc/passwd 0", "0"));
    expect(await fetch()).toBeInstanceOf(HostileStreamError);
  });

  const listings: Record<string, string> = {
    "a path that climbs": entry("../evil"),
    "an absolute path": entry("/etc/evil"),
    "a link that leads out": entry("l", { link: "../../.ssh/id" }),
    "something below a link": `${entry("l", { link: "x" })}; ${entry("l/y")}`,
    "a path twice": `${entry("a")}; ${entry("a")}`,
    "a negative size": entry("a", { size: -1 }),
    "no checksum": entry("a", { sha256: "../../x" }),
  };
  it.each(Object.entries(listings))("that lists %s is refused", async (_, lines) => {
    await fake(`${lines}; ${end}`, "true");
    expect(String(await fetch())).toMatch(/is refused/);
  });

  it("that cannot send is heard in its own words", async () => {
    await fake(honest, "echo 'disk went away' >&2; exit 5");
    expect(await fetch()).toMatchObject({
      facts: { kind: "exit", code: 5 },
      message: expect.stringContaining("disk went away"),
    });
  });

  it("that ends its listing early is not believed", async () => {
    await fake(entry("a"), "true");
    expect(String(await fetch())).toMatch(/ended too early/);
  });

  it("that sends other content than it lists keeps the final folder away", async () => {
    await fake(honest, packed("printf 9999 > 0", "0"));
    expect(await fetch()).toMatchObject({ files: 0, unstable: ["a"] });
  });
});
