import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { Talk } from "../../remote/transfer/talk";
import { useScriptHost } from "./script-host";

const host = useScriptHost();

describe("what is sent to a verb", () => {
  const content = Buffer.from("all that there is");
  const sha256 = createHash("sha256").update(content).digest("hex");
  const begin = async (size: number): Promise<Talk> => {
    const call = { verb: "archive-append", document: { file: "archive", size, sha256 } };
    const talk = await Talk.start(host.session, call, size);
    expect(await talk.hear("Looking")).toMatchObject({ complete: false });
    return talk;
  };
  async function* late(): AsyncGenerator<Buffer> {
    yield Buffer.concat([Buffer.from('{"packed":"none"}\n'), content]);
    await sleep(1000);
    yield Buffer.alloc(0);
  }

  it("is sent, though the verb has ended before its input has: it had all of it", async () => {
    const talk = await begin(content.length);
    await talk.send(late(), "Sending", { last: true });
    expect(await talk.hear("Receiving")).toEqual({ right: true });
    expect(readFileSync(join(host.sshd.home, "archive"))).toEqual(content);
    talk.close();
  });

  it("has failed where the verb wanted more", async () => {
    const talk = await begin(content.length + 1);
    await talk.send(late(), "Sending", { last: true }).catch(() => {});
    await expect(talk.hear("Receiving")).rejects.toThrow(/only \d+ of 18 bytes arrived/);
    talk.close();
  });
});
