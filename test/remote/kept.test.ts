import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { SshSession } from "../../remote/session";
import { onOneConnection } from "../../remote/ssh/kept";
import { withRetries } from "../../remote/transfer/retry";
import { type Relay, startRelay } from "../support/relay";
import { startSshd, type TestSshd } from "../support/sshd";

let sshd: TestSshd;
let relay: Relay;

beforeAll(async () => {
  sshd = await startSshd();
  relay = await startRelay(sshd.access.port);
});
afterAll(async () => {
  await relay?.close();
  await sshd?.stop();
});

describe("a kept connection", () => {
  const through = () => ({ ...sshd.access, port: relay.port });
  const look = (session: SshSession): Promise<string> => session.run("echo seen", "Looking");

  it("is used again until its keeper is done, and by nobody after that", async () => {
    const access = through();
    const before = relay.connections;
    await onOneConnection(access, async () => {
      // Another object, as each resource has one.
      for (let i = 0; i < 3; i++) expect(await withRetries({ ...access }, look)).toBe("seen\n");
    });
    expect(relay.connections - before).toBe(1);
    await withRetries(access, look);
    expect(relay.connections - before).toBe(2);
  });

  it("serves nobody who asks for another host key or logs in otherwise", async () => {
    const access = through();
    await onOneConnection(access, async () => {
      await withRetries(access, look);
      const other = {
        ...access,
        hostKey: "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
      };
      await expect(withRetries(other, look)).rejects.toMatchObject({ facts: { kind: "host-key" } });
      await expect(withRetries({ ...access, user: "nobody-there" }, look)).rejects.toMatchObject({
        facts: { kind: "auth" },
      });
    });
  });

  it("that was lost while nobody used it costs no try", async () => {
    const access = through();
    await onOneConnection(access, async () => {
      await withRetries(access, look);
      relay.cut();
      expect(await withRetries(access, look, { attempts: 1 })).toBe("seen\n");
    });
  });

  it("is closed where what it was used for failed", async () => {
    const access = through();
    const before = relay.connections;
    await onOneConnection(access, async () => {
      await expect(withRetries(access, () => Promise.reject(new Error("no")))).rejects.toThrow("no");
      await withRetries(access, look);
    });
    expect(relay.connections - before).toBe(2);
  });

  it("is closed where many later ones wait for their next use", async () => {
    const relays = await Promise.all(Array.from({ length: 20 }, () => startRelay(sshd.access.port)));
    const all = relays.map(({ port }) => ({ ...sshd.access, port }));
    const nested = (rest: typeof all): Promise<void> => {
      const [first, ...others] = rest;
      if (first !== undefined) return onOneConnection(first, () => nested(others));
      return lookAtAll();
    };
    const lookAtAll = async (): Promise<void> => {
      for (const access of all) await withRetries(access, look);
      for (const access of [all.at(-1), all[0]]) if (access !== undefined) await withRetries(access, look);
    };
    try {
      await nested(all);
      expect([relays[0]?.connections, relays.at(-1)?.connections]).toEqual([2, 1]);
    } finally {
      await Promise.all(relays.map((each) => each.close()));
    }
  });
});
