import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { previousOutput } from "../../engine/plugins/command/inputs";
import { secret, UNKNOWN } from "../../engine/plugins/protocol/values";
import { newEd25519 } from "../../lambda/account/ed25519";
import { freePort, startSshd, type TestSshd } from "../support/sshd";
import { PluginProcess, urnOf, type Values } from "./support/plugin";

const urn = urnOf("command:remote:Command", "cmd");

let plugin: PluginProcess;
let sshd: TestSshd;
let connection: Values;

beforeAll(async () => {
  sshd = await startSshd();
  const { host, port, user, privateKey, hostKey } = sshd.access;
  connection = { host, port, user, privateKey, hostKey, dialErrorLimit: 0, perDialTimeout: 5 };
  plugin = await PluginProcess.start("command", undefined, {
    env: { ...process.env, LAMBDA_TRAIN_STATUS_SECONDS: "0.05" },
  });
});
afterAll(async () => {
  await plugin?.stop();
  await sshd?.stop();
});

describe("remote.Command", () => {
  it("runs the command with its input, without a terminal", async () => {
    const { id, outputs } = await plugin.create(urn, {
      connection: secret(connection),
      create: "pwd; cat; tty; echo err >&2",
      stdin: "from stdin\n",
    });
    expect(id).toMatch(/^cmd[0-9a-f]{8}$/);
    expect(outputs).toEqual({
      connection: secret(connection),
      create: "pwd; cat; tty; echo err >&2",
      stdin: "from stdin\n",
      stdout: `${sshd.home}\nfrom stdin\nnot a tty`,
      stderr: "err",
    });
    expect(plugin.shown.at(-1)?.message).toMatch(/^(not a tty|err)$/);
  });

  it("carries large output and input whole", async () => {
    const stdin = "0123456789abcdef".repeat(200_000);
    const { outputs } = await plugin.create(urn, { connection, create: "cat", stdin, logging: "none" });
    expect(outputs.stdout === stdin).toBe(true);
  });

  it("fails with the status, the command and all of its output", async () => {
    const command = "echo out; echo err >&2; exit 3";
    await expect(plugin.create(urn, { connection, create: command })).rejects.toThrow(
      /^Process exited with status 3: running "echo out; echo err >&2; exit 3":\n(out\nerr|err\nout)\n$/,
    );
    await expect(plugin.create(urn, { connection, create: "kill -9 $$" })).rejects.toThrow(/^Process exited /);
  });

  it("runs update, else create, on an update, and delete at the end; without them it does not connect", async () => {
    const olds = { connection, create: "false", stdout: "before", stderr: "" };
    expect(await plugin.update(urn, olds, { connection, create: "false", update: "echo now" })).toMatchObject({
      stdout: "now",
    });
    expect(await plugin.update(urn, olds, { connection, create: "echo again" })).toMatchObject({ stdout: "again" });
    await plugin.delete(urn, { ...olds, delete: 'echo bye > "$HOME/deleted"' });
    expect(readFileSync(join(sshd.home, "deleted"), "utf8")).toBe("bye\n");
    const nowhere = { host: "127.0.0.1", port: await freePort(), user: "u", dialErrorLimit: 0, perDialTimeout: 1 };
    await plugin.delete(urn, { connection: nowhere, create: "true" });
    expect((await plugin.create(urn, { connection: nowhere })).outputs).toMatchObject({ stdout: "", stderr: "" });
    expect((await plugin.create(urn, { connection: nowhere, create: "true" }, true)).outputs).toMatchObject({
      stdout: UNKNOWN,
    });
  });

  it("takes the pinned host key alone, and any where none is pinned", async () => {
    const other = newEd25519().publicKey;
    const run = (change: object) => plugin.create(urn, { connection: { ...connection, ...change }, create: "echo hi" });
    await expect(run({ hostKey: other })).rejects.toThrow(/^after 0 failed attempts: ssh: handshake failed: .*[Hh]ost/);
    await expect(run({ hostKey: "nonsense" })).rejects.toThrow("connection.hostKey is not a public key");
    const { hostKey: _pinned, ...unpinned } = connection;
    const { outputs } = await plugin.create(urn, { connection: unpinned, create: "echo any" });
    expect(outputs.stdout).toBe("any");
    expect((await run({ hostKey: `${sshd.access.hostKey.trim()} a comment` })).outputs.stdout).toBe("hi");
  });

  it("says what is wrong with a login, and never quotes the key", async () => {
    const stranger = newEd25519().privateKey;
    const run = (privateKey: string) =>
      plugin.create(urn, { connection: { ...connection, privateKey }, create: "true" }).catch(String);
    expect(await run(stranger)).toContain("ssh: handshake failed: All configured authentication methods failed");
    expect(await run("-----BEGIN LOOKS LIKE ONE-----")).toMatch(/connection\.privateKey is not a private key that can/);
    expect(await run("-----BEGIN LOOKS LIKE ONE-----")).not.toContain("LOOKS LIKE");
  });

  it("dials again until the limit, on the published schedule, and tells each try", async () => {
    plugin.shown.length = 0;
    const away = { ...connection, port: await freePort(), dialErrorLimit: 3 };
    const started = performance.now();
    await expect(plugin.create(urn, { connection: away, create: "true" })).rejects.toThrow(
      /^after 3 failed attempts: .*ECONNREFUSED/,
    );
    const milliseconds = performance.now() - started;
    // 0.1 s, 0.15 s and 0.225 s between four attempts.
    expect(milliseconds).toBeGreaterThan(470);
    expect(milliseconds).toBeLessThan(3000);
    expect([...new Set(plugin.shown.map(({ message }) => message))]).toEqual([
      "Dial 1/3 failed: retrying",
      "Dial 2/3 failed: retrying",
      "Dial 3/3 failed: retrying",
    ]);
  });

  it("reaches a host that comes up later", async () => {
    await sshd.halt();
    const patient = { ...connection, dialErrorLimit: -1 };
    const running = plugin.create(urn, { connection: patient, create: "echo there" });
    await sleep(600);
    await sshd.restart();
    expect((await running).outputs.stdout).toBe("there");
  });

  it("logs in once for commands that run beside and after one another, and anew where that has ended", async () => {
    const said = async (create: string): Promise<unknown> =>
      (await plugin.create(urn, { connection, create })).outputs.stdout;
    const login = "echo $SSH_CONNECTION";
    const first = await said(login);
    expect(await Promise.all([said(`sleep 0.3; ${login}`), said(login), said(login)])).toEqual([first, first, first]);
    await expect(said("exit 3")).rejects.toThrow("status 3");
    expect(await said(login)).toBe(first);
    process.kill(Number(await said("echo $PPID")));
    expect(await said(login)).not.toBe(first);
  });

  it("does not take a broken connection for the command's end", async () => {
    const marker = join(sshd.home, "started");
    const running = plugin.create(urn, { connection, create: "touch $HOME/started; sleep 30" });
    const ended = expect(running).rejects.toThrow(/: running "touch/);
    for (let i = 0; i < 200 && !exists(marker); i += 1) await sleep(25);
    await sshd.halt();
    await ended;
    await sshd.restart();
  });

  it("lets go when the update is cancelled, while dialling and while running", async () => {
    const other = await PluginProcess.start("command", undefined, {
      env: { ...process.env, LAMBDA_TRAIN_STATUS_SECONDS: "0.2" },
    });
    const away = { ...connection, port: await freePort(), dialErrorLimit: -1 };
    const dialling = expect(other.create(urn, { connection: away, create: "true" })).rejects.toThrow("cancelled");
    const marker = join(sshd.home, "running");
    const running = expect(
      other.create(urn, { connection, create: "touch $HOME/running; sleep 30" }),
    ).rejects.toThrow();
    for (let i = 0; i < 200 && !exists(marker); i += 1) await sleep(25);
    await other.cancel();
    await Promise.all([dialling, running]);
    await other.stop();
  });

  it("checks the connection, fills in its defaults and makes it secret", async () => {
    const { inputs, failures } = await plugin.check(urn, {
      connection: { host: "h" },
      create: "x",
    });
    expect(failures).toEqual([]);
    const defaults = { user: "root", port: 22, dialErrorLimit: 10, perDialTimeout: 15 };
    expect(inputs).toEqual({
      create: "x",
      addPreviousOutputInEnv: true,
      connection: secret({ ...defaults, host: "h" }),
    });
    expect((await plugin.check(urn, { connection: UNKNOWN, create: UNKNOWN })).inputs).toMatchObject({
      connection: secret(UNKNOWN),
    });
    const refused = await plugin.check(urn, {
      connection: { hots: "typo", proxy: { host: "p" } },
      environment: { A: "b" },
    });
    expect(refused.failures.map(({ property }) => property).sort()).toEqual([
      "connection.host",
      "connection.hots",
      "connection.proxy",
      "environment",
    ]);
    expect((await plugin.check(urn, {})).failures).toEqual([
      { property: "connection", reason: "missing required property" },
    ]);
  });

  it("shows output line by line while the command runs, without choking on progress bars", async () => {
    plugin.shown.length = 0;
    // 200 kB without a line end: a reader that waits for one, or has a limit, stops here.
    const bar = `i=0; while [ $i -lt 2000 ]; do printf '\\r%s %0100d' $i 0; i=$((i+1)); done`;
    const { outputs } = await plugin.create(urn, { connection, create: `echo first; ${bar}; echo; echo last >&2` });
    expect((outputs.stdout as string).length).toBeGreaterThan(200_000);
    const messages = plugin.shown.map(({ message }) => message);
    // Each row shows the line of the moment, and in the end the last one.
    expect(messages.length).toBeGreaterThan(0);
    expect(messages.length).toBeLessThan(50);
    expect(messages.at(-1)).toMatch(/^(last|1999 0{100})$/);
    expect(plugin.shown.every((line) => line.urn === urn && line.ephemeral)).toBe(true);
  });

  it.each([
    ["stdout", ["out"]],
    ["stderr", ["err"]],
    ["none", []],
    ["stdoutAndStderr", ["err", "out"]],
  ])("shows %s", async (logging, expected) => {
    plugin.shown.length = 0;
    await plugin.create(urn, { connection, create: "echo out; sleep 0.4; echo err >&2; sleep 0.4", logging });
    expect([...new Set(plugin.shown.map(({ message }) => message))].sort()).toEqual(expected);
  });

  it("replaces for triggers, known or not, and updates for everything else", async () => {
    const olds = { connection: secret(connection), create: "a", triggers: [1, "x"], stdout: "s", stderr: "" };
    const diff = (change: object) => plugin.diff(urn, olds, { ...olds, ...change });
    expect(await diff({})).toEqual({ changes: false, paths: [], replaces: [] });
    expect(await diff({ triggers: [1, "y"] })).toMatchObject({ replaces: ["triggers[1]"] });
    expect(await diff({ triggers: [1, UNKNOWN] })).toMatchObject({ replaces: ["triggers[1]"] });
    expect(await diff({ triggers: UNKNOWN })).toMatchObject({ replaces: ["triggers"] });
    expect(await diff({ delete: "d" })).toEqual({
      changes: true,
      paths: ["delete"],
      replaces: [],
    });
    expect(await diff({ create: secret("a") })).toMatchObject({ paths: ["create"], replaces: [] });
  });

  it("keeps secret inputs secret in the outputs, and gives the command the plain value", async () => {
    const { outputs } = await plugin.create(urn, { connection, create: "cat", stdin: secret("hush"), logging: "none" });
    expect(outputs).toMatchObject({ stdin: secret("hush"), stdout: "hush" });
  });

  it("refuses what it does not serve", async () => {
    const { failures } = await plugin.check(urn, { connection, environment: { A: "b" }, logging: "all", stdn: "typo" });
    expect(failures.map(({ property }) => property).sort()).toEqual(["environment", "logging", "stdn"]);
    expect(failures.find(({ property }) => property === "logging")?.reason).toContain("stdoutAndStderr");
    await expect(plugin.check(urnOf("command:remote:CopyToRemote", "copy"), {})).rejects.toThrow(
      "command:remote:CopyToRemote is not served",
    );
  });

  it("tells a command what was printed before, unless it is not to", () => {
    const olds = { stdout: "out", stderr: "" };
    expect(previousOutput({ connection: {} as never }, olds)).toEqual({ PULUMI_COMMAND_STDOUT: "out" });
    expect(previousOutput({ connection: {} as never, addPreviousOutputInEnv: false }, olds)).toEqual({});
  });

  it("updates for a change of the connection, wherever its secret marks sit", async () => {
    const olds = { connection: secret({ ...connection, privateKey: secret("k") }), create: "c", stdout: "" };
    const same = { connection: secret({ ...connection, privateKey: "k" }), create: "c" };
    expect((await plugin.diff(urn, olds, same)).changes).toBe(false);
    const moved = { connection: secret({ ...connection, privateKey: "k", host: "127.0.0.2" }), create: "c" };
    expect(await plugin.diff(urn, olds, moved)).toEqual({ changes: true, paths: ["connection"], replaces: [] });
  });
});

function exists(path: string): boolean {
  try {
    readFileSync(path);
    return true;
  } catch {
    return false;
  }
}
