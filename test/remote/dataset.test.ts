import { execFile } from "node:child_process";
import { lstat, mkdir, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:https";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { hashFile } from "../../local/folder/hashes";
import { walkAll } from "../../local/folder/walk";
import type { DatasetPlan } from "../../plan/types";
import { archivePath, datasetPath, renderExtract, uploadName } from "../../remote/scripts";
import { bringSecrets } from "../../remote/secrets";
import { SshSession } from "../../remote/session";
import { packed } from "../../remote/transfer/compression";
import { contentsOf } from "../../remote/transfer/contents";
import { ManifestBlocks, packedManifest } from "../../remote/transfer/manifest-lines";
import { Needed } from "../../remote/transfer/needed";
import { Talk } from "../../remote/transfer/talk";
import { type Uploaded, uploadTree } from "../../remote/transfer/upload";
import type { SshAccess } from "../../remote/types";
import { startRelay } from "../support/relay";
import { testPlan } from "./plan";
import { useScriptHost } from "./script-host";
import { contents, fill as fillFolder, random } from "./transfer-place";

const run = promisify(execFile);
const host = useScriptHost();
const { home, text, send } = host;

describe("the dataset", () => {
  const datasetPlan = (
    source: DatasetPlan["source"],
    changes: Partial<DatasetPlan> = {},
  ): ReturnType<typeof testPlan> =>
    testPlan({ dataset: { source, target: "data", splits: ["train", "test"], hash: "d1", ...changes } });
  const archivePlan = datasetPlan({ kind: "archive", path: "/local/data.tar.gz" });

  const archive = async (commands: string, to: string = home(archivePath(archivePlan))): Promise<void> => {
    await mkdir(join(to, ".."), { recursive: true });
    await run("bash", ["-ec", `rm -rf "$HOME/.make"; mkdir "$HOME/.make"; cd "$HOME/.make"; ${commands}`], {
      env: { HOME: host.sshd.home, PATH: process.env.PATH, OUT: to },
    });
  };
  const fill = "mkdir -p train test; echo a > train/a; echo b > 'test/b c'";

  it.each([
    ["tar.gz", `${fill}; tar -czf "$OUT" train test`],
    ["tar", `mkdir data; cd data; ${fill}; cd ..; tar -cf "$OUT" data`],
    [
      "tar.zst in one folder",
      `mkdir MathWriting; cd MathWriting; ${fill}; cd ..; tar -cf - MathWriting | zstd -q > "$OUT"`,
    ],
    ["zip", `${fill}; python3 -m zipfile -c "$OUT" train test`],
    [
      "zip with the separators of Windows",
      `python3 - "$OUT" <<'P'
import sys, zipfile
with zipfile.ZipFile(sys.argv[1], "w") as archive:
    for name, text in (("set\\\\train\\\\a", "a"), ("set\\\\test\\\\b c", "b\\n"), ("set\\\\train\\\\sub\\\\", "")):
        archive.writestr(name, text)
P`,
    ],
  ])("comes out of a %s archive, replaces the old one, once", async (_, commands) => {
    await archive(commands);
    await mkdir(home("work/data/train"), { recursive: true });
    await writeFile(home("work/data/train/old"), "");
    const result = await send(renderExtract(archivePlan));
    expect(result, result.stderr).toMatchObject({ code: 0 });
    expect(await text("work/data/test/b c")).toBe("b\n");
    expect(await readdir(home("work/data/train"))).toContain("a");
    expect(await readdir(home("work/data/train"))).not.toContain("old");
    expect(await readdir(home("work"))).toEqual(["data"]);
    expect((await send(renderExtract(archivePlan))).stdout).toBe("dataset: already done\n");
  });

  it.each([
    ["climbs out", `${fill}; echo x > e; tar -czPf "$OUT" --transform 's,^e,../../evil,' train test e`],
    ["is absolute", `${fill}; echo x > e; tar -czPf "$OUT" --transform 's,^e,/tmp/lt-evil,' train test e`],
    ["links out", `${fill}; ln -s ../../../.ssh train/keys; tar -czf "$OUT" train test`],
    [
      "writes through a link",
      `${fill}; ln -s train l; tar -cf "$OUT" train test l; rm l; mkdir l; echo x > l/x; tar -rf "$OUT" l/x`,
    ],
    [
      "hard-links out",
      `${fill}; echo x > h; ln h train/h; tar -czPf "$OUT" --transform 's,^h$,/etc/passwd,' train test h`,
    ],
    ["has a pipe", `${fill}; mkfifo train/p; tar -czf "$OUT" train test`],
  ])("is refused from an archive that %s", async (_, commands) => {
    await archive(commands);
    const result = await send(renderExtract(archivePlan));
    expect(result).toMatchObject({ code: 4, stderr: expect.stringContaining("The archive is refused") });
    await expect(stat(home("work/data"))).rejects.toThrow("ENOENT");
    expect(await readdir(home("work"))).toEqual([]);
  });

  it("tells a damaged archive, a missing one, and missing splits", async () => {
    expect(await send(renderExtract(archivePlan))).toMatchObject({
      code: 3,
      stderr: expect.stringContaining("upload did not finish"),
    });
    await archive(`${fill}; tar -czf "$OUT" train test; truncate -s 90 "$OUT"`);
    expect(await send(renderExtract(archivePlan))).toMatchObject({
      code: 4,
      stderr: expect.stringContaining("could not be extracted"),
    });
    await archive(`${fill}; tar -czf "$OUT" train`);
    expect(await send(renderExtract(archivePlan))).toMatchObject({
      code: 6,
      stderr: expect.stringContaining("no folders train, test on top; it has: train"),
    });
    await archive(`mkdir images; cd images; ${fill}; cd ..; echo x > labels.csv; tar -czf "$OUT" images labels.csv`);
    expect(await send(renderExtract(archivePlan))).toMatchObject({
      code: 6,
      stderr: expect.stringContaining("They are in images: name images/train, images/test in dataset.splits"),
    });
    await archive(`echo 'Rar!' > "$OUT"`);
    expect(await send(renderExtract(archivePlan))).toMatchObject({
      code: 4,
      stderr: expect.stringContaining("it is a RAR archive, neither tar nor zip"),
    });
    await archive(`mkdir train test; tar -czf "$OUT" train test`);
    expect(await send(renderExtract(archivePlan))).toMatchObject({
      code: 6,
      stderr: expect.stringContaining("holds no file"),
    });
  });

  it("on a file system is linked to, in place of what was there", async () => {
    const plan = datasetPlan({ kind: "fileSystem", path: home("nfs/set") });
    expect(await send(renderExtract(plan))).toMatchObject({
      code: 3,
      stderr: expect.stringContaining("Is the file system attached"),
    });
    for (const split of ["train", "test"]) {
      await mkdir(home("nfs/set", split), { recursive: true });
      await writeFile(home("nfs/set", split, "f"), "");
    }
    await mkdir(home("work/data/junk"), { recursive: true });
    expect((await send(renderExtract(plan))).code).toBe(0);
    expect((await stat(home("work/data/train/f"))).isFile()).toBe(true);
    expect(
      (await send(renderExtract(datasetPlan({ kind: "fileSystem", path: home("nfs/set") }, { hash: "d2" })))).code,
    ).toBe(0);
    expect(await readdir(home("nfs/set"))).toEqual(["test", "train"]);
  });

  describe("as a folder, in place of another dataset", () => {
    const folderPlan = datasetPlan({ kind: "folder", path: "/local/data" });
    const linkPlan = datasetPlan({ kind: "fileSystem", path: "nfs/set" });
    const shared = { "train/a": "shared a", "train/only": "shared", "test/b": "shared b" };
    const first = { "train/a": "first a", "train/only": "first", "test/b": "first b" };
    const second = { "train/a": "second a", "test/new": "second" };

    /** Uploads these files to the dataset's place, as the stack does. */
    const upload = async (
      files: Readonly<Record<string, string | Buffer>>,
      to: SshSession | SshAccess = host.sshd.access,
    ): Promise<Uploaded> => {
      await rm(home("local"), { recursive: true, force: true });
      await fillFolder(home("local"), files);
      const target = datasetPath(folderPlan);
      const tree = await walkAll(home("local"));
      return uploadTree(to, { tree, remoteRoot: target, name: uploadName(target) });
    };
    const extract = async (plan: typeof folderPlan): Promise<void> => {
      const result = await send(renderExtract(plan));
      expect(result, result.stderr).toMatchObject({ code: 0 });
    };
    const expectOnly = async (files: Readonly<Record<string, string>>): Promise<void> => {
      expect((await lstat(home("work/data"))).isDirectory()).toBe(true);
      expect(await contents(home("work/data"))).toEqual(files);
    };

    it("replaces the link to a file system and leaves what it leads to", async () => {
      await fillFolder(home("nfs/set"), shared);
      await extract(linkPlan);
      await upload(second);
      expect(await contents(home("nfs/set"))).toEqual(shared);
      await expectOnly(second);
      expect(await upload(second)).toMatchObject({ sentFiles: 0, removed: 0 });
    });

    it("removes nothing from a file system for having been uploaded before it", async () => {
      await fillFolder(home("nfs/set"), shared);
      await upload(first);
      await extract(linkPlan);
      expect(await upload(second)).toMatchObject({ removed: 0 });
      expect(await contents(home("nfs/set"))).toEqual(shared);
      await expectOnly(second);
    });

    it("replaces a link that nothing is known of, and forgets what was uploaded before it", async () => {
      await fillFolder(home("nfs/set"), shared);
      await upload(first);
      await rm(home("work/data"), { recursive: true });
      await symlink(home("nfs/set"), home("work/data"));
      await upload(second);
      expect(await contents(home("nfs/set"))).toEqual(shared);
      await expectOnly(second);
    });

    it("does not take for its own what the file system holds alike", async () => {
      await fillFolder(home("nfs/set"), first);
      await extract(linkPlan);
      await upload(first);
      expect(await contents(home("nfs/set"))).toEqual(first);
      await expectOnly(first);
    });

    it("holds nothing of the archive that was extracted there, nor of a folder before that", async () => {
      await upload(first);
      await archive(`${fill}; tar -czf "$OUT" train test`);
      await extract(archivePlan);
      expect(await contents(home("work/data"))).toEqual({ "train/a": "a\n", "test/b c": "b\n" });
      await upload(second);
      await expectOnly(second);
      await writeFile(home("work/data/theirs"), "kept");
      await upload(first);
      await expectOnly({ ...first, theirs: "kept" });
    });

    it("leaves the earlier dataset until all of it has arrived, and is put right where emptying was cut", async () => {
      await archive(`${fill}; tar -czf "$OUT" train test`);
      await extract(archivePlan);
      const relay = await startRelay(host.sshd.access.port);
      relay.cutAfter(3_000_000);
      const session = await SshSession.connect({ ...host.sshd.access, port: relay.port });
      await expect(upload({ ...second, "train/more": random(8_000_000, 1) }, session)).rejects.toThrow("lost");
      await relay.close();
      expect(await contents(home("work/data"))).toEqual({ "train/a": "a\n", "test/b c": "b\n" });
      // As an emptying that was killed leaves it.
      await rm(home("work/data/train"), { recursive: true });
      await upload(second);
      await expectOnly(second);
    });

    it("that was planned before another dataset came is not placed over it", async () => {
      await fillFolder(home("nfs/set"), shared);
      const name = uploadName(datasetPath(folderPlan));
      await upload(first);
      await fillFolder(home("local"), second);
      const tree = await walkAll(home("local"));
      const document = { name, root: "work/data", hash: tree.hash, protected: [] };
      const talk = await Talk.start(host.session, { verb: "upload-apply", document }, 0);
      await talk.hear("Comparing");
      await talk.send(packedManifest(new ManifestBlocks(tree.entries()), new Set()), "Planning");
      const needed = new Needed(tree, await talk.hear("Planning"));
      await extract(linkPlan);
      const sending = contentsOf(tree.root, needed.contents(), () => {});
      await talk.send(packed(sending, undefined), "Sending", { last: true });
      await talk.hear("Receiving");
      await expect(talk.hear("Placing")).rejects.toThrow("No upload of work-data was planned");
      expect((await lstat(home("work/data"))).isSymbolicLink()).toBe(true);
      expect(await contents(home("nfs/set"))).toEqual(shared);
    });

    it("waits until an upload that still goes on has been put into place", async () => {
      await fillFolder(home("nfs/set"), shared);
      await upload(first);
      const held = home("held");
      const holding = host.session.exec(
        `flock .lambda-train/locks/work-data.apply sh -c 'touch ${held}; while [ -e ${held} ]; do sleep 0.05; done'`,
      );
      await expect.poll(() => stat(held).catch(() => undefined)).toBeDefined();
      const done = extract(linkPlan);
      await expect
        .poll(() => text(".lambda-train/steps/dataset/log").catch(() => ""), { timeout: 10_000 })
        .toContain("Waiting for an upload");
      expect((await lstat(home("work/data"))).isDirectory()).toBe(true);
      await rm(held);
      await Promise.all([holding, done]);
      expect((await lstat(home("work/data"))).isSymbolicLink()).toBe(true);
    });
  });

  describe("at an address", () => {
    let server: Server;
    let url: string;
    let file: Buffer;
    const asked: string[] = [];
    let breakAt: number | undefined;

    beforeAll(async () => {
      const pem = join(host.sshd.bin, "..");
      await run("openssl", [
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=127.0.0.1",
        "-addext",
        "subjectAltName=IP:127.0.0.1",
        "-keyout",
        join(pem, "key.pem"),
        "-out",
        join(pem, "cert.pem"),
      ]);
      const tls = { key: await readFile(join(pem, "key.pem")), cert: await readFile(join(pem, "cert.pem")) };
      server = createServer(tls, (request, response) => {
        asked.push(`${request.method} ${request.headers.range ?? ""}`);
        const from = Number(/bytes=(\d+)-/.exec(request.headers.range ?? "")?.[1] ?? 0);
        const status = request.headers.range === undefined ? 200 : from < file.length ? 206 : 416;
        const range = status === 206 ? { "content-range": `bytes ${from}-${file.length - 1}/${file.length}` } : {};
        response.writeHead(status, {
          "content-length": status === 416 ? 0 : file.length - from,
          etag: '"one"',
          ...range,
        });
        if (request.method === "HEAD" || status === 416) {
          response.end();
        } else if (breakAt !== undefined) {
          response.write(file.subarray(from, breakAt), () => response.destroy());
          breakAt = undefined;
        } else {
          response.end(file.subarray(from));
        }
      });
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      url = `https://127.0.0.1:${(server.address() as { port: number }).port}/data.tar?token="secret"`;
    });

    afterAll(() => server?.close());

    it("is fetched by the instance, from where it broke, and checked", async () => {
      await archive(`${fill}; head -c 500000 /dev/urandom > train/noise; tar -czf "$OUT" train test`, home("made"));
      file = await readFile(home("made"));
      const sha256 = await hashFile(home("made"));
      const trusted = `export CURL_CA_BUNDLE=${join(host.sshd.bin, "../cert.pem")}\n`;
      breakAt = 200_000;
      const plan = datasetPlan({ kind: "url", url, sha256 });
      const result = await send(trusted + renderExtract(plan));
      expect(result, result.stderr).toMatchObject({ code: 0 });
      expect(asked).toEqual(["HEAD ", "GET ", expect.stringMatching(/^GET bytes=[1-9]\d+-$/)]);
      expect((await stat(home("work/data/train/noise"))).size).toBe(500_000);
      const wrong = datasetPlan({ kind: "url", url, sha256: "0".repeat(64) }, { hash: "d2" });
      expect(await send(trusted + renderExtract(wrong))).toMatchObject({
        code: 5,
        stderr: expect.stringContaining(`${sha256}, expected 000`),
      });
      expect((await stat(home("work/data/train/noise"))).size).toBe(500_000);
    });

    it("gets a token that goes to its host alone", async () => {
      await archive(`${fill}; tar -czf "$OUT" train test`, home("made"));
      file = await readFile(home("made"));
      const token = "token-of-the-host";
      await bringSecrets(host.session, { DATA_TOKEN: token });
      const seen: string[] = [];
      const tls = {
        key: await readFile(join(host.sshd.bin, "../key.pem")),
        cert: await readFile(join(host.sshd.bin, "../cert.pem")),
      };
      let to = "";
      const first = createServer(tls, ({ method, url: path = "", headers }, response) => {
        seen.push(`${method} ${path} ${headers.authorization ?? "none"}`);
        if (headers.authorization !== `Bearer ${token}`) response.writeHead(401).end();
        else if (path === "/data.tar") response.writeHead(302, { location: "/there.tar" }).end();
        else response.writeHead(302, { location: to }).end();
      });
      await new Promise<void>((listening) => first.listen(0, "127.0.0.1", listening));
      const other = createServer(tls, ({ method, headers }, response) => {
        seen.push(`other ${method} ${headers.authorization ?? "none"}`);
        response.writeHead(200, { "content-length": file.length });
        response.end(method === "HEAD" ? undefined : file);
      });
      await new Promise<void>((listening) => other.listen(0, "127.0.0.1", listening));
      const portOf = (listening: Server): number => (listening.address() as { port: number }).port;
      const trusted = `export CURL_CA_BUNDLE=${join(host.sshd.bin, "../cert.pem")}\n`;
      const source = { kind: "url" as const, url: `https://127.0.0.1:${portOf(first)}/data.tar` };
      try {
        to = `https://127.0.0.1:${portOf(other)}/signed.tar`;
        const result = await send(trusted + renderExtract(datasetPlan(source, { token: "DATA_TOKEN" })));
        expect(result, result.stderr).toMatchObject({ code: 0 });
        expect(seen).toEqual([
          `HEAD /data.tar Bearer ${token}`,
          `HEAD /there.tar Bearer ${token}`,
          "other HEAD none",
          "other GET none",
        ]);
        to = `http://127.0.0.1:${portOf(other)}/clear.tar`;
        const clear = datasetPlan(source, { token: "DATA_TOKEN", hash: "d9" });
        expect(await send(trusted + renderExtract(clear))).toMatchObject({
          code: 3,
          stderr: expect.stringContaining("leads to 127.0.0.1 without encryption"),
        });
        expect(seen).toHaveLength(6);
      } finally {
        for (const each of [first, other]) each.close();
      }
    });

    it("is fetched again where what came was no archive, a broken one or another one", async () => {
      const made = async (commands: string): Promise<Buffer> => {
        await archive(commands, home("made"));
        return readFile(home("made"));
      };
      const broken = await made(`${fill}; seq 200000 > train/n; tar -cJf "$OUT" train test`);
      broken.fill(0xff, broken.length >> 1, (broken.length >> 1) + 100);
      const refused: [Buffer, number, string][] = [
        [Buffer.from("<html>Too many requests, try again later</html>"), 4, "could not be extracted"],
        [broken, 4, "could not be extracted"],
        [await made(`${fill}; ln -s ../../../.ssh train/keys; tar -czf "$OUT" train test`), 4, "is refused"],
        [await made(`${fill}; tar -czf "$OUT" train`), 6, "no folders train, test on top"],
      ];
      const script = `export CURL_CA_BUNDLE=${join(host.sshd.bin, "../cert.pem")}\n${renderExtract(datasetPlan({ kind: "url", url }))}`;
      for (const [content, code, why] of refused) {
        file = content;
        expect(await send(script)).toMatchObject({ code, stderr: expect.stringContaining(why) });
        expect(await readdir(home(".lambda-train/archives"))).toEqual([]);
      }
      file = await made(`${fill}; tar -czf "$OUT" train test`);
      const result = await send(script);
      expect(result, result.stderr).toMatchObject({ code: 0 });
      expect(await contents(home("work/data"))).toEqual({ "train/a": "a\n", "test/b c": "b\n" });
    });
  });
});
