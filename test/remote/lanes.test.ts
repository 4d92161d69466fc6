import { createHash, randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Line, startLine } from "../../bench/line";
import { walkAll } from "../../local/folder/walk";
import { withSession } from "../../remote/session";
import { downloadTree } from "../../remote/transfer/download";
import { Joining, lanesFor } from "../../remote/transfer/lanes";
import { Talk } from "../../remote/transfer/talk";
import { uploadArchive, uploadTree } from "../../remote/transfer/upload";
import { startSshd, type TestSshd } from "../support/sshd";

describe("lanes", { timeout: 60_000 }, () => {
  let sshd: TestSshd;
  let line: Line;
  const here = mkdtempSync(join(tmpdir(), "lambda-train-lanes-"));
  const content = randomBytes(24 << 20);

  beforeAll(async () => {
    sshd = await startSshd();
    line = await startLine(sshd.access.port, { roundTripMs: 200, bytesPerSecond: 125e6 });
    mkdirSync(join(here, "data"));
    writeFileSync(join(here, "data", "big.bin"), content);
    writeFileSync(join(here, "data", "small.txt"), "small\n");
  });
  afterAll(async () => {
    await line.close();
    await sshd.stop();
    rmSync(here, { recursive: true });
  });
  const far = () => ({ ...sshd.access, port: line.port });
  const logins = (): number => sshd.log().split("Accepted publickey").length - 1;

  it("are as many as the line is long, and one where that is as fast", () => {
    expect(lanesFor(0.3, 1e10)).toBe(1);
    expect(lanesFor(80, 1e6)).toBe(1);
    expect(lanesFor(80, 1e9)).toBe(8);
    expect(lanesFor(400, 1e12)).toBe(8);
    expect(lanesFor(Number.POSITIVE_INFINITY, 1e9)).toBe(1);
  });

  it("carry a folder there, as it is", async () => {
    const tree = await walkAll(join(here, "data"));
    await uploadTree(far(), { tree, remoteRoot: "up", name: "up" });
    expect(readFileSync(join(sshd.home, "up", "big.bin")).equals(content)).toBe(true);
    expect(logins()).toBe(8);
  });

  it("are one where there is little to carry", async () => {
    const before = logins();
    mkdirSync(join(here, "little"));
    writeFileSync(join(here, "little", "small.txt"), "small\n");
    await uploadTree(far(), { tree: await walkAll(join(here, "little")), remoteRoot: "little", name: "little" });
    await downloadTree(far(), { remoteRoot: "little", localFinal: join(here, "little-home") });
    expect(readFileSync(join(here, "little-home", "small.txt"), "utf8")).toBe("small\n");
    expect(logins() - before).toBe(2);
  });

  it("carry an archive there", async () => {
    const before = logins();
    const sha256 = createHash("sha256").update(content).digest("hex");
    const localArchive = join(here, "data", "big.bin");
    await uploadArchive(far(), { localArchive, remotePath: "archive", sha256 });
    expect(readFileSync(join(sshd.home, "archive")).equals(content)).toBe(true);
    expect(logins() - before).toBe(8);
  });

  it("carry results home, and go on after one of them broke", async () => {
    const before = logins();
    const lost: string[] = [];
    const download = downloadTree(far(), {
      remoteRoot: "up",
      localFinal: join(here, "home"),
      onProgress: (text) => lost.push(text),
    });
    // The others log in when these have.
    while (logins() - before < 5) await sleep(20);
    await sshd.halt();
    await sshd.restart();
    await download;
    expect(readFileSync(join(here, "home", "big.bin")).equals(content)).toBe(true);
    expect(lost.join()).toContain("Trying again");
  });

  it("end with a verb that fails before all has come", async () => {
    await withSession(far(), async (session) => {
      const document = { file: "archive", size: "no number", sha256: "" };
      const talk = await Talk.start(session, { verb: "archive-append", document }, content.length);
      await expect(talk.hear("Looking")).rejects.toThrow("Looking failed");
      talk.close();
    });
  });
});

describe("pieces of lanes", () => {
  const piece = (number: number, text: string): Buffer => {
    const head = Buffer.alloc(8);
    head.writeUInt32BE(number, 0);
    head.writeUInt32BE(text.length, 4);
    return Buffer.concat([head, Buffer.from(text)]);
  };
  const end = (count: number): Buffer => piece(count, "");
  const read = async (...lanes: Buffer[][]): Promise<string> => {
    const parts: Buffer[] = [];
    const joining = new Joining();
    for (const chunks of lanes) joining.add(Promise.resolve({ stdout: Readable.from(chunks) }));
    for await (const part of joining.pieces(() => {})) parts.push(part);
    return Buffer.concat(parts).toString();
  };

  it("are put together in their order, however they come and are cut", async () => {
    const all = Buffer.concat([piece(1, "b"), piece(3, "d"), end(4)]);
    const letters = [...all].map((byte) => Buffer.from([byte]));
    expect(await read([piece(0, "a"), piece(2, "c"), end(4)], letters)).toBe("abcd");
    expect(await read([end(0)], [end(0)])).toBe("");
    // A lane that joined in when all had been sent.
    expect(await read([piece(0, "a"), end(1)], [])).toBe("a");
  });

  it.each([
    ["ends early", [[piece(0, "a")], [end(2)]]],
    ["ends within a piece", [[piece(0, "abc").subarray(0, 9)], [end(1)]]],
    ["sends a piece twice", [[piece(0, "a"), piece(0, "a"), end(2)], [end(2)]]],
    ["leaves one out", [[piece(1, "a"), end(2)], [end(2)]]],
    ["ends differently", [[piece(0, "a"), end(1)], [end(2)]]],
    ["sends a piece beyond all measure", [[Buffer.from([0, 0, 0, 0, 127, 255, 255, 255])], [end(1)]]],
  ])("are refused where a lane %s", async (_, lanes) => {
    await expect(read(...lanes)).rejects.toThrow();
  });
});
