import { createHash, randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Line, startLine } from "../../bench/line";
import { SshSession } from "../../remote/session";
import { lanesFor, startOnLanes } from "../../remote/transfer/lanes";
import { startSshd, type TestSshd } from "../support/sshd";

describe("lanes", { timeout: 60_000 }, () => {
  let sshd: TestSshd;
  let line: Line;
  const content = randomBytes(24 << 20);
  const sha256 = createHash("sha256").update(content).digest("hex");

  beforeAll(async () => {
    sshd = await startSshd();
    line = await startLine(sshd.access.port, { roundTripMs: 200, bytesPerSecond: 125e6 });
  });
  afterAll(async () => {
    await line.close();
    await sshd.stop();
  });
  const far = () => ({ ...sshd.access, port: line.port });

  it("are as many as the line is long, and one where that is as fast", () => {
    expect(lanesFor(0.3, 1e10)).toBe(1);
    expect(lanesFor(80, 1e6)).toBe(1);
    expect(lanesFor(80, 1e9)).toBe(8);
    expect(lanesFor(400, 1e12)).toBe(8);
    expect(lanesFor(Number.POSITIVE_INFINITY, 1e9)).toBe(1);
  });

  it("carry a verb's input as it is, over several connections", async () => {
    const session = await SshSession.connect(far());
    await session.exec("true");
    expect(session.roundTripMs).toBeGreaterThanOrEqual(200);
    const file = join(sshd.home, "arrived");
    const before = logins();
    const document = { file, offset: 0, size: content.length, sha256 };
    const verb = await startOnLanes(
      session,
      { verb: "archive-append", document },
      { way: "up", bytes: content.length },
    );
    verb.stderr.resume();
    const said = buffer(verb.stdout);
    for (let at = 0; at < content.length; at += 700_000) {
      if (!verb.stdin.write(content.subarray(at, at + 700_000)))
        await new Promise((go) => verb.stdin.once("drain", go));
    }
    verb.stdin.end();
    expect(await verb.exit).toEqual({ code: 0 });
    expect(JSON.parse((await said).toString())).toEqual({ right: true });
    expect(readFileSync(file).equals(content)).toBe(true);
    expect(logins() - before).toBe(7);
    session.close();
  });

  function logins(): number {
    return sshd.log().split("Accepted publickey").length - 1;
  }
});
