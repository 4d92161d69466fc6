import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { AdminClient } from "../../emulator/admin-client";
import { type EnsuredCloud, ensureCloud, resetCloud, runningCloud, stopCloud } from "../../emulator/control";
import { isAlive, readRunFile } from "../../emulator/run-file";
import { out, reach } from "./hosts";
import { exec, launch, newKeyPair, read, sleepers, temporaryFolder, until } from "./support";

/** The emulator as a process of its own. Each test goes on from the one before. */
describe("the emulator's process", { timeout: 60_000 }, () => {
  const { folder: local, remove } = temporaryFolder();
  const key = newKeyPair();
  let first: EnsuredCloud;
  let id: string;

  const target = async () => {
    const run = readRunFile(local);
    if (!run) throw new Error("The cloud does not run.");
    const instance = await until("active", async () => {
      const now = await read(run, id);
      return now.status === "active" && now.ip && now;
    });
    return { host: instance.ip, port: run.sshPort, privateKey: key.privateKey };
  };

  beforeAll(async () => {
    const started = await Promise.all([1, 2, 3].map(() => ensureCloud(local, { timeScale: 600 })));
    // Three at once get the same cloud, and one of them started it.
    expect(new Set(started.map((run) => run.pid)).size).toBe(1);
    expect(started.filter((run) => run.started)).toHaveLength(1);
    first = started[0] as EnsuredCloud;
  });
  afterAll(async () => {
    await stopCloud(local);
    remove();
  });

  test("its run file and state are for this user alone, and tell how to reach it", async () => {
    for (const name of ["cloud.json", "state.json"])
      expect(statSync(join(local, "cloud", name)).mode & 0o777, name).toBe(0o600);
    const run = JSON.parse(readFileSync(join(local, "cloud", "cloud.json"), "utf8"));
    expect(Object.keys(run).sort()).toEqual(["adminUrl", "apiKey", "pid", "sshPort", "timeScale", "url"]);
    expect(run).toMatchObject({ timeScale: 600, pid: first.pid });
    expect(await ensureCloud(local, { timeScale: 500 })).toMatchObject({ started: false, timeScale: 500 });
    expect(readRunFile(local)?.timeScale).toBe(500);
    await new AdminClient(run.adminUrl).patchSettings({ timeScale: 601, rateLimit: { enabled: false } });
    expect(readRunFile(local)?.timeScale).toBe(601);
  });

  test("after a stop and a start all is as it was: key, address, instances with their disks", async () => {
    id = await launch(first, { name: "kept" }, key);
    const before = await target();
    const ssh = await reach(before);
    await exec(ssh, "echo kept >~/file; tmux new-session -d -s a 'exec sleep 4343'");
    await until("the process", async () => sleepers("4343") === 1);
    expect(await stopCloud(local)).toBe(true);
    await until("no process", async () => sleepers("4343") === 0);
    expect(existsSync(join(local, "cloud", "cloud.json"))).toBe(false);
    expect(await stopCloud(local)).toBe(false);

    const second = await ensureCloud(local);
    expect(second).toMatchObject({ started: true, url: first.url, apiKey: first.apiKey, sshPort: first.sshPort });
    const after = await target();
    expect(after.host).toBe(before.host);
    const again = await reach(after);
    expect(await out(again, "cat ~/file")).toBe("kept");
    again.end();
  });

  test("killed, it takes its instances' processes along; the next start goes on", async () => {
    const ssh = await reach(await target());
    await exec(ssh, "tmux new-session -d -s b 'exec sleep 4444'");
    await until("the process", async () => sleepers("4444") === 1);
    const { pid } = readRunFile(local) ?? { pid: 0 };
    process.kill(pid, "SIGKILL");
    await until("no process", async () => sleepers("4444") === 0);
    await until("the emulator is gone", async () => !isAlive(pid));
    expect(await runningCloud(local)).toBeUndefined();
    await ensureCloud(local);
    const again = await reach(await target());
    expect(await out(again, "cat ~/file")).toBe("kept");
    again.end();
  });

  test("a start that fails says why", async () => {
    const { folder, remove: removeBroken } = temporaryFolder();
    const run = await ensureCloud(folder, { instances: "none" });
    await stopCloud(folder);
    writeFileSync(join(folder, "cloud", "state.json"), "{}");
    await expect(ensureCloud(folder)).rejects.toThrow(/state.json is damaged: it isn.t a state of this version/);
    expect(run.started).toBe(true);
    await resetCloud(folder);
    expect(existsSync(join(folder, "cloud"))).toBe(false);
    removeBroken();
  });

  test("the command tells what runs, never the key, and with its exit status whether", () => {
    const command = (...args: string[]) =>
      spawnSync(process.execPath, ["-r", "./engine/typescript.cjs", "cli/cloud.ts", ...args], {
        encoding: "utf8",
        env: { ...process.env, LAMBDA_TRAIN_LOCAL: local },
      });
    const status = command("status");
    expect(status.stdout).toContain(`instance ${id}  kept  active  cpu_4x_general  us-east-1`);
    expect(status.stdout).not.toContain(first.apiKey);
    expect(status.status).toBe(0);
    expect(command("start").stdout).toContain("already running");
    expect(command("stop").stdout).toContain("stopped");
    expect(command("status").status).toBe(3);
    const wrong = command("start", "--port", "http");
    expect([wrong.status, wrong.stderr]).toEqual([2, expect.stringContaining("whole number from 0")]);
  });
});
