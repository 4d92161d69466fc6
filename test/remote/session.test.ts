import { createConnection, createServer } from "node:net";
import { PassThrough, Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { inspect } from "node:util";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { newEd25519 } from "../../lambda/account/ed25519";
import { SshError, SshSession, withSession } from "../../remote/session";
import { waitForSsh } from "../../remote/ssh/wait";
import type { SshAccess } from "../../remote/types";
import { startRelay } from "../support/relay";
import { startSshd, type TestSshd } from "../support/sshd";

let sshd: TestSshd;
let session: SshSession;

beforeAll(async () => {
  sshd = await startSshd();
  session = await SshSession.connect(sshd.access);
});

afterAll(async () => {
  session?.close();
  await sshd?.stop();
});

const failure = (promise: Promise<unknown>): Promise<SshError> =>
  promise.then(
    () => expect.fail("it should have failed"),
    (error: unknown) => {
      expect(error).toBeInstanceOf(SshError);
      return error as SshError;
    },
  );

describe("exec", () => {
  it("gives status, stdout and stderr apart", async () => {
    expect(await session.exec("echo out; echo err >&2; exit 7")).toEqual({
      code: 7,
      stdout: "out\n",
      stderr: "err\n",
    });
  });

  it("closes standard input when none is given", async () => {
    expect((await session.exec("cat; echo end", { timeoutSeconds: 5 })).stdout).toBe("end\n");
  });

  it("feeds text, bytes and streams", async () => {
    const bytes = Buffer.alloc(5_000_000, 7);
    expect((await session.exec("cat", { stdin: "ä\n" })).stdout).toBe("ä\n");
    expect((await session.exec("wc -c", { stdin: bytes })).stdout.trim()).toBe("5000000");
    expect((await session.exec("wc -c", { stdin: Readable.from([bytes, bytes]) })).stdout.trim()).toBe("10000000");
  });

  it("ends when the command stops reading early", async () => {
    const result = await session.exec("head -c 1", { stdin: Buffer.alloc(20_000_000, 65), timeoutSeconds: 10 });
    expect(result).toMatchObject({ code: 0, stdout: "A" });
  });

  it("fails with the source's own error", async () => {
    const source = new Readable({ read: () => {} });
    setTimeout(() => source.destroy(new Error("disk went away")), 50);
    await expect(session.exec("cat", { stdin: source })).rejects.toThrow("disk went away");
  });

  it("keeps only the end of long output", async () => {
    const result = await session.exec("seq 1 200000", { maxOutputBytes: 14 });
    expect(result).toMatchObject({ stdout: "199999\n200000\n", code: 0 });
  });

  it("tells the signal that ended the command", async () => {
    expect(await session.exec("kill -TERM $$")).toMatchObject({ code: 143, signal: "SIGTERM" });
  });

  it("waits for the exit status of a command that closes its output before", async () => {
    expect(await session.exec("exec >&- 2>&-; sleep 0.3; exit 3")).toMatchObject({ code: 3 });
  });

  it("hears of the end of a command that is over before its channel is known", async () => {
    const relay = await startRelay(sshd.access.port);
    relay.batch(100);
    await withSession({ ...sshd.access, port: relay.port }, async (through) => {
      for (const command of ["exit 3", "echo out; exit 3", "exec >&- 2>&-; exit 3"]) {
        expect(await through.exec(command)).toMatchObject({ code: 3 });
      }
    });
    await relay.close();
  });

  it("gives up after timeoutSeconds and stays usable", async () => {
    const error = await failure(session.exec("sleep 30", { timeoutSeconds: 0.2 }));
    expect(error.facts).toMatchObject({ kind: "timeout", retryable: true });
    expect((await session.exec("echo on")).stdout).toBe("on\n");
  });

  it("ends with the signal's reason when aborted", async () => {
    const reason = new Error("user pressed Ctrl-C");
    const abort = new AbortController();
    setTimeout(() => abort.abort(reason), 50);
    await expect(session.exec("sleep 30", { signal: abort.signal })).rejects.toBe(reason);
  });

  it("keeps the private key out of what is printed", () => {
    expect(inspect(session, { depth: 10 })).toBe(`SshSession ${sshd.access.user}@127.0.0.1:${sshd.access.port}`);
  });

  it("run() turns a status into an error with the end of the output", async () => {
    const error = await failure(session.run("echo why >&2; exit 3", "The thing"));
    expect(error.facts).toMatchObject({ kind: "exit", code: 3, retryable: false });
    expect(error.message).toContain("The thing failed on 127.0.0.1 with status 3:\nwhy");
  });
});

describe("stream, attach, forward", () => {
  it("streams both ways", async () => {
    const remote = await session.stream("tr a-z A-Z; echo note >&2; exit 4");
    remote.stdin.end("hello");
    expect(await Promise.all([text(remote.stdout), text(remote.stderr)])).toEqual(["HELLO", "note\n"]);
    expect(await remote.exit).toEqual({ code: 4 });
  });

  it("attaches a terminal with its size and restores it", async () => {
    const stdin = Object.assign(new PassThrough(), { isTTY: true, raw: [] as boolean[] });
    const setRawMode = (on: boolean): unknown => stdin.raw.push(on);
    const stdout = Object.assign(new PassThrough(), { columns: 101, rows: 33 });
    let shown = "";
    stdout.on("data", (chunk: Buffer) => {
      shown += chunk.toString();
    });
    const terminal = { stdin: Object.assign(stdin, { setRawMode }), stdout } as never;
    const done = session.attach("tty >/dev/null && stty size; read line; stty size; echo got $line; exit 5", terminal);
    await vi.waitFor(() => expect(shown).toContain("33 101"), { timeout: 10_000 });
    Object.assign(stdout, { columns: 55, rows: 22 });
    stdout.emit("resize");
    await sleep(100);
    stdin.write("hey\r");
    expect(await done).toEqual({ code: 5 });
    expect(shown).toMatch(/33 101[\s\S]*22 55[\s\S]*got hey/);
    expect(stdin.raw).toEqual([true, false]);
  });

  it("forwards a local port, on 127.0.0.1 alone", async () => {
    const echo = createServer((socket) => socket.pipe(socket));
    const target = await new Promise<number>((resolve) =>
      echo.listen(0, "127.0.0.1", () => resolve((echo.address() as { port: number }).port)),
    );
    const forward = await session.forward(0, "127.0.0.1", target);
    const socket = createConnection(forward.port, "127.0.0.1");
    socket.end("through the tunnel");
    expect(await text(socket)).toBe("through the tunnel");
    await forward.close();
    echo.close();
    await expect(session.forward(sshd.access.port, "127.0.0.1", 1)).rejects.toThrow("EADDRINUSE");
  });
});

describe("connections that break", () => {
  it("refuses another host key, never retries it, and shows no secret", async () => {
    const other = { ...sshd.access, hostKey: newEd25519().publicKey };
    const started = Date.now();
    const error = await failure(waitForSsh(other, { timeoutSeconds: 30 }));
    expect(error.facts).toMatchObject({ kind: "host-key", retryable: false });
    expect(error.message).toMatch(/not the host key that this stack gave.*hostile/);
    expect(Date.now() - started).toBeLessThan(5000);
    expect(JSON.stringify(error) + error.stack).not.toContain(sshd.access.privateKey.slice(60, 100));
  });

  it("tells a refused key, and one that is no key", async () => {
    const stranger = { ...sshd.access, privateKey: newEd25519().privateKey };
    expect((await failure(SshSession.connect(stranger))).facts).toMatchObject({ kind: "auth" });
    const garbage = { ...sshd.access, privateKey: "-----BEGIN hush-hush" };
    const error = await failure(waitForSsh(garbage, { timeoutSeconds: 20 }));
    expect(error.facts).toMatchObject({ kind: "auth", retryable: false });
    expect(error.message).not.toContain("hush");
  });

  it("notices a reset during a command", async () => {
    const relay = await startRelay(sshd.access.port);
    const through = await SshSession.connect({ ...sshd.access, port: relay.port });
    const running = failure(through.exec("sleep 30"));
    await sleep(100);
    relay.cut();
    expect((await running).facts).toMatchObject({ kind: "lost", retryable: true });
    expect((await failure(through.exec("true"))).facts.kind).toBe("lost");
    expect((await through.ended)?.facts.kind).toBe("lost");
    await relay.close();
  });

  it("notices a half-open connection by its probes", async () => {
    const relay = await startRelay(sshd.access.port);
    const through = await SshSession.connect({ ...sshd.access, port: relay.port }, { keepaliveSeconds: 0.3 });
    await sleep(1800);
    expect((await through.exec("echo alive")).stdout).toBe("alive\n");
    relay.stall();
    expect((await failure(through.exec("true"))).facts.kind).toBe("lost");
    await relay.close();
  });

  it("gives up on a server that never speaks", async () => {
    const silent = createServer(() => {});
    await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
    const { port } = silent.address() as { port: number };
    const error = await failure(SshSession.connect({ ...sshd.access, port }, { timeoutSeconds: 0.3 }));
    expect(error.facts).toMatchObject({ kind: "timeout", retryable: true });
    silent.close();
  });
});

describe("waitForSsh", () => {
  it("waits through refusals until the login works", async () => {
    const later = await startSshd();
    await later.halt();
    const lines: string[] = [];
    const done = waitForSsh(later.access, { timeoutSeconds: 20, onWait: (line) => lines.push(line) });
    await sleep(700);
    await later.restart();
    await done;
    expect(lines[0]).toContain("no SSH server listens there (yet)");
    await later.stop();
  });

  it("ends in an error that tells the last reason", async () => {
    const nobody: SshAccess = { ...sshd.access, port: 1 };
    const error = await failure(waitForSsh(nobody, { timeoutSeconds: 1 }));
    expect(error.facts.kind).toBe("timeout");
    expect(error.message).toMatch(/within 1 s.*no SSH server listens/);
  });

  it("withSession closes the connection after a failure too", async () => {
    let inner: SshSession | undefined;
    await expect(
      withSession(sshd.access, async (opened) => {
        inner = opened;
        throw new Error("mine");
      }),
    ).rejects.toThrow("mine");
    await inner?.ended;
  });
});
