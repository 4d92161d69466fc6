import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { ask, protocol, refusal } from "../../remote/conversation";
import { readMachine } from "../../remote/machine";
import { readStatus } from "../../remote/run";
import { withSession } from "../../remote/session";
import { useScriptHost } from "./script-host";

const host = useScriptHost();

describe("a conversation with the agent", { timeout: 60_000 }, () => {
  const serving = async (): Promise<string[]> =>
    (await host.session.exec('pgrep -f "$HOME/.lambda-train/agent/[^ ]* [s]erve"')).stdout.split("\n").filter(Boolean);

  it("answers all questions of a connection with one process, which ends with it", async () => {
    await withSession(host.sshd.access, async (session) => {
      const [first, second] = await Promise.all([readStatus(session, "a"), readStatus(session, "b")]);
      expect([first.experiment, second.experiment]).toEqual(["a", "b"]);
      const [pid] = await serving();
      expect((await readMachine(session, { experiment: "a" })).cpu.count).toBeGreaterThan(0);
      expect(await readStatus(session, "a")).toMatchObject({ state: "absent", evaluation: { state: "none" } });
      expect(await serving()).toEqual([pid]);
    });
    for (let tries = 0; (await serving()).length > 0 && tries < 100; tries++) await sleep(50);
    expect(await serving()).toEqual([]);
  });

  it("goes on with another process where that was killed", async () => {
    await withSession(host.sshd.access, async (session) => {
      await readStatus(session, "a");
      const [pid] = await serving();
      await host.session.exec(`kill -KILL ${pid}`);
      expect(await readStatus(session, "a")).toMatchObject({ state: "absent" });
    });
  });

  it("is not waited for without end where the agent hangs before it says anything", async () => {
    await withSession(host.sshd.access, async (session) => {
      await readStatus(session, "a");
      const [main] = (await host.session.exec("ls .lambda-train/agent/*/__main__.py")).stdout.split("\n");
      await host.session.exec(`mv ${main} whole && echo 'import time; time.sleep(600)' >${main}`);
      try {
        const question = { ask: "status", document: { experiment: "a" }, answer: z.unknown(), what: "Asking" } as const;
        await withSession(host.sshd.access, async (another) => {
          await expect(ask(another, { ...question, timeoutSeconds: 1 })).rejects.toMatchObject({
            message: expect.stringMatching(/Starting the agent on \S+ did not end within 1 s/),
            facts: { kind: "timeout" },
          });
        });
      } finally {
        await host.session.exec(`mv whole ${main}`);
      }
      expect(await readStatus(session, "a")).toMatchObject({ state: "absent" });
    });
  });

  it("is refused where the other side speaks another protocol, and says which one is older", async () => {
    const { code, stdout } = await host.ask("serve", { protocol: protocol + 1 });
    expect({ code, stdout }).toEqual({ code: 3, stdout: `{"protocol": ${protocol}}\n` });
    expect(refusal(protocol - 1)).toMatch(/agent on the instance is older than this release.*npm run up/);
    expect(refusal(protocol + 1)).toMatch(/agent on the instance is newer than this release.*git pull/);
  });

  it("tells what is wrong with a question, and goes on", async () => {
    const asked = `{"protocol":${protocol}}\n{"id":1,"ask":"status","document":{}}\n{"id":2,"ask":"dance","document":{}}\n`;
    const { stdout } = await host.session.exec("python3 -IS .lambda-train/agent/* serve", { stdin: asked });
    expect(stdout.split("\n").slice(1, 3)).toEqual([
      '{"id": 1, "error": "Wrong: experiment is missing"}',
      '{"id": 2, "error": "Wrong: there is no question dance"}',
    ]);
  });
});
