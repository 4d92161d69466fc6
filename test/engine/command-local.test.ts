import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { secret, UNKNOWN } from "../../engine/plugins/protocol/values";
import { PluginProcess, urnOf } from "./support/plugin";

const urn = urnOf("command:local:Command", "cmd");

let plugin: PluginProcess;
let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "lambda-train-command-"));
  plugin = await PluginProcess.start("command", undefined, {
    env: { ...process.env, LAMBDA_TRAIN_STATUS_SECONDS: "0.2" },
  });
});
afterAll(async () => {
  await plugin.stop();
  rmSync(folder, { recursive: true });
});

describe("local.Command", () => {
  it("runs the command with its folder, environment, input and interpreter", async () => {
    const { id, outputs } = await plugin.create(urn, {
      create: 'pwd; echo "$GREETING"; cat; echo "$0" >&2',
      dir: folder,
      environment: { GREETING: "hello" },
      stdin: "from stdin\n",
      interpreter: ["/bin/bash", "-c"],
    });
    expect(id).toMatch(/^cmd[0-9a-f]{8}$/);
    expect(outputs.stdout).toBe(`${folder}\nhello\nfrom stdin`);
    expect(outputs.stderr).toBe("/bin/bash");
  });

  it("fails with the status, the command and all of its output", async () => {
    const command = "echo out; echo err >&2; exit 3";
    await expect(plugin.create(urn, { create: command })).rejects.toThrow(
      new Error(`exit status 3: running ${JSON.stringify(command)}:\nout\nerr\n`),
    );
  });

  it("runs update, else create, on an update, with what was printed before; and delete at the end", async () => {
    const olds = { create: "true", stdout: "before", stderr: "" };
    const print = 'echo "now, $PULUMI_COMMAND_STDOUT"';
    expect(await plugin.update(urn, olds, { create: "false", update: print })).toMatchObject({ stdout: "now, before" });
    expect(await plugin.update(urn, olds, { create: print })).toMatchObject({ stdout: "now, before" });
    const quiet = { create: print, addPreviousOutputInEnv: false };
    expect(await plugin.update(urn, olds, quiet)).toMatchObject({ stdout: "now, " });
    expect(await plugin.update(urn, olds, { delete: "true" })).toEqual({
      delete: "true",
      stdout: "before",
      stderr: "",
    });
    const file = join(folder, "deleted");
    await plugin.delete(urn, { stdout: "last", delete: `printf %s "$PULUMI_COMMAND_STDOUT" > ${file}` });
    expect(readFileSync(file, "utf8")).toBe("last");
    await plugin.delete(urn, { create: "false" });
  });

  it("runs nothing in a preview", async () => {
    const file = join(folder, "previewed");
    const { outputs } = await plugin.create(urn, { create: `touch ${file}`, stdin: UNKNOWN }, true);
    expect(outputs).toEqual({ create: `touch ${file}`, stdin: UNKNOWN, stdout: UNKNOWN, stderr: UNKNOWN });
    expect(await plugin.update(urn, { stdout: "a" }, { create: `touch ${file}` }, true)).toMatchObject({
      stdout: UNKNOWN,
    });
    expect(existsSync(file)).toBe(false);
  });

  it("shows output line by line while the command runs, without choking on progress bars", async () => {
    plugin.shown.length = 0;
    // 200 kB without a line end: a reader that waits for one, or has a limit, stops here.
    const bar = `i=0; while [ $i -lt 2000 ]; do printf '\\r%s %0100d' $i 0; i=$((i+1)); done`;
    const { outputs } = await plugin.create(urn, { create: `echo first; ${bar}; echo; echo last >&2` });
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
    await plugin.create(urn, { create: "echo out; sleep 0.4; echo err >&2; sleep 0.4", logging });
    expect([...new Set(plugin.shown.map(({ message }) => message))].sort()).toEqual(expected);
  });

  it("replaces for triggers, known or not, and updates for everything else", async () => {
    const olds = { create: "a", triggers: [1, "x"], environment: { A: "1" }, stdout: "s", stderr: "" };
    const diff = (change: object) => plugin.diff(urn, olds, { ...olds, ...change });
    expect(await diff({})).toEqual({ changes: false, paths: [], replaces: [] });
    expect(await diff({ triggers: [1, "y"] })).toMatchObject({ replaces: ["triggers[1]"] });
    expect(await diff({ triggers: [1, UNKNOWN] })).toMatchObject({ replaces: ["triggers[1]"] });
    expect(await diff({ triggers: UNKNOWN })).toMatchObject({ replaces: ["triggers"] });
    expect(await diff({ delete: "d", environment: { A: "2" } })).toEqual({
      changes: true,
      paths: ["delete", "environment.A"],
      replaces: [],
    });
    expect(await diff({ create: secret("a") })).toMatchObject({ paths: ["create"], replaces: [] });
  });

  it("keeps secret inputs secret in the outputs, and gives the command the plain value", async () => {
    const { outputs } = await plugin.create(urn, { create: "cat", stdin: secret("hush"), logging: "none" });
    expect(outputs).toMatchObject({ stdin: secret("hush"), stdout: "hush" });
  });

  it("refuses what it does not serve", async () => {
    const { failures } = await plugin.check(urn, { archivePaths: ["*"], logging: "all", stdn: "typo" });
    expect(failures.map(({ property }) => property).sort()).toEqual(["archivePaths", "logging", "stdn"]);
    expect(failures.find(({ property }) => property === "logging")?.reason).toContain("stdoutAndStderr");
    await expect(plugin.check(urnOf("command:remote:CopyToRemote", "copy"), {})).rejects.toThrow(
      "command:remote:CopyToRemote is not served",
    );
  });

  it("ends the running command when the update is cancelled", async () => {
    const other = await PluginProcess.start("command", undefined, {
      env: { ...process.env, LAMBDA_TRAIN_STATUS_SECONDS: "0.2" },
    });
    const file = join(folder, "started");
    const running = other.create(urn, { create: `touch ${file}; exec sleep 60` });
    const ended = expect(running).rejects.toThrow(/abort|cancel/i);
    while (!existsSync(file)) await sleep(20);
    await other.cancel();
    await ended;
    await other.stop();
  });
});
