import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Cloud } from "../../emulator/cloud";
import { emulatorCommand } from "../../emulator/control";
import type { RunFile } from "../../emulator/run-file";
import { newState } from "../../emulator/state/store";
import { call, launch, newKeyPair, read, temporaryFolder, until } from "./support";

let folder: string;
let remove: () => void;
beforeEach(() => {
  ({ folder, remove } = temporaryFolder());
});
afterEach(() => remove());

const stateFile = () => join(folder, "state.json");
const start = () => Cloud.start({ folder, instances: "none" });

/** The disk of an instance that only the state knows. */
function disk(): string {
  const file = join(folder, "instances", "0".repeat(32), "root", "home", "weights.pt");
  mkdirSync(join(file, ".."), { recursive: true });
  writeFileSync(file, "weeks of training");
  return file;
}

describe("a state file that cannot be trusted", () => {
  const whole = () => JSON.parse(JSON.stringify(newState())) as Record<string, unknown>;
  const without = (name: string) => JSON.stringify({ ...whole(), [name]: undefined });

  test.each<[string, () => string]>([
    ["empty", () => ""],
    ["cut off", () => JSON.stringify(whole()).slice(0, 200)],
    ["of another kind", () => '{"version": 7}'],
    ["null", () => "null"],
    ["without its instances", () => without("instances")],
    ["without its settings", () => without("settings")],
    ["zeros", () => "\0".repeat(4096)],
  ])("that is %s stops the start, and no disk is erased", async (_, textOf) => {
    const kept = disk();
    const text = textOf();
    writeFileSync(stateFile(), text);
    await expect(start()).rejects.toThrow(/state\.json is damaged: .*No disk was erased/);
    expect(readFileSync(kept, "utf8")).toBe("weeks of training");
    expect(readFileSync(stateFile(), "utf8")).toBe(text);
  });

  test("that is missing stops the start where there are disks", async () => {
    const kept = disk();
    await expect(start()).rejects.toThrow(/state\.json is missing, but .*instances holds disks/);
    expect(existsSync(kept)).toBe(true);
    rmSync(join(folder, "instances"), { recursive: true });
    await (await start()).stop();
  });

  test("of an earlier version gets what it lacks", async () => {
    const { maintenance: _, ...earlier } = whole();
    const settings = earlier.settings as { quota: Record<string, number> };
    const { sshKeys: _keys, ...quota } = settings.quota;
    writeFileSync(
      stateFile(),
      JSON.stringify({ ...earlier, settings: { ...settings, quota: { ...quota, instances: 7 } } }),
    );
    const cloud = await start();
    expect(cloud.store.state.settings.quota).toMatchObject({ instances: 7, sshKeys: 1024 });
    expect((await call(cloud, "GET", "/maintenance_events")).status).toBe(200);
    await cloud.stop();
  });
});

test("time goes on after a restart, although this machine's clock was set back", async () => {
  let ms = Date.parse("2026-11-24T12:00:00Z");
  const at = () => Cloud.start({ folder, instances: "none", timeScale: 1, now: () => ms });
  const first = await at();
  first.store.state.settings.rateLimit.enabled = false;
  const id = await launch(first);
  ms += 100_000;
  await read(first, id);
  await first.stop();
  ms -= 86_400_000;
  const second = await at();
  // A connection of before the restart may be tried first.
  await until("it answers", () => read(second, id).catch(() => undefined));
  ms += 121_000;
  expect((await read(second, id)).status).toBe("active");
  await second.stop();
});

/** Two megabytes are enough for a state, and soon full. */
const diskBytes = 6 * 1024 * 1024;

describe("a full disk", { timeout: 180_000 }, () => {
  test("begins nothing, says so, and ends what costs money; with room again it goes on", async () => {
    const [program, ...args] = emulatorCommand();
    const local = join(folder, "local");
    mkdirSync(local);
    const command = [program, ...args, "--local", local, "--instances", "none", "--time-scale", "600"];
    const child = spawn(
      "bwrap",
      ["--dev-bind", "/", "/", "--size", String(diskBytes), "--tmpfs", local, "--die-with-parent", "--", ...command],
      { stdio: ["ignore", "ignore", "pipe"] },
    );
    let log = "";
    child.stderr.on("data", (chunk: Buffer) => {
      log += chunk;
    });
    try {
      // What is mounted there is seen through the process that has it alone.
      const inside = await until("the emulator runs", async () => insideOf(child.pid ?? 0, local), 90_000);
      const cloud = runFileIn(inside);
      const slowly = async (...request: Parameters<typeof call> extends [unknown, ...infer Rest] ? Rest : never) =>
        until("a turn", async () => {
          const answer = await call(cloud, ...request);
          return answer.status !== 429 && answer;
        });
      await slowly("POST", "/ssh-keys", { name: "ci", public_key: newKeyPair().publicKey });
      const launchBody = { region_name: "us-east-1", instance_type_name: "cpu_4x_general", ssh_key_names: ["ci"] };
      const launched = await slowly("POST", "/instance-operations/launch", launchBody);
      const id = launched.body.data.instance_ids[0];
      spawnSync("dd", ["if=/dev/zero", `of=${join(inside, "filling")}`, "bs=4096"]);
      // Until its reserve is spent it goes on; then it begins nothing more.
      const refused = await until("it is full", async () => {
        spawnSync("dd", ["if=/dev/zero", `of=${join(inside, `more${Math.random()}`)}`, "bs=4096"]);
        const answer = await slowly("POST", "/ssh-keys", {
          name: `k${Math.random()}`,
          public_key: newKeyPair().publicKey,
        });
        return answer.status !== 200 && answer;
      });
      expect([refused.status, refused.body.error.code]).toEqual([503, "provider/internal-unavailable"]);
      expect(refused.body.error.message).toMatch(
        /can't save its state: no space is left in .*\/cloud\. Free space there/,
      );
      expect(JSON.parse(readFileSync(join(inside, "cloud/state.json"), "utf8")).instances).toHaveLength(1);
      expect((await slowly("GET", "/instances")).body.data).toHaveLength(1);
      const ended = await slowly("POST", "/instance-operations/terminate", { instance_ids: [id] });
      expect([200, 503]).toContain(ended.status);
      expect((await slowly("GET", `/instances/${id}`)).body.data.status).toMatch(/^terminat/);
      expect(log.split("can't save its state").length - 1).toBeLessThan(10);
      for (const name of readdirSync(inside)) if (/^(filling|more)/.test(name)) rmSync(join(inside, name));
      const again = await slowly("POST", "/ssh-keys", { name: "after", public_key: newKeyPair().publicKey });
      expect(again.status).toBe(200);
      const saved = JSON.parse(readFileSync(join(inside, "cloud/state.json"), "utf8"));
      expect(saved.instances.every(({ status }: { status: string }) => status.startsWith("terminat"))).toBe(true);
      expect(readdirSync(join(inside, "cloud")).filter((name) => name.endsWith(".next"))).toEqual([]);
    } finally {
      child.kill("SIGKILL");
    }
  });
});

/** The folder as the first descendant of a process sees it that has it. */
function insideOf(pid: number, local: string): string | undefined {
  const children = spawnSync("pgrep", ["-P", String(pid)])
    .stdout.toString()
    .split("\n")
    .filter(Boolean)
    .map(Number);
  for (const each of [pid, ...children]) {
    const inside = `/proc/${each}/root${local}`;
    if (existsSync(join(inside, "cloud", "cloud.json"))) return inside;
  }
  return undefined;
}

const runFileIn = (inside: string): RunFile =>
  JSON.parse(readFileSync(join(inside, "cloud", "cloud.json"), "utf8")) as RunFile;
