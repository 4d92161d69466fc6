import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { isAlive } from "../../emulator/run-file";
import { Eraser } from "../../emulator/sandbox/eraser";
import { Hosts, reach } from "./hosts";
import { call, read, temporaryFolder, until } from "./support";

/** Makes a folder of many small files. */
function fill(folder: string, files: number): void {
  for (let i = 0; i < files; i++) {
    if (i % 1000 === 0) mkdirSync(join(folder, String(i)), { recursive: true });
    writeFileSync(join(folder, String(i - (i % 1000)), `f${i}`), "");
  }
}

/** The process below another that erases, once it does. */
async function eraserOf(parent: number): Promise<number> {
  const deadline = Date.now() + 30_000;
  while (Date.now() < deadline) {
    const children = readFileSync(`/proc/${parent}/task/${parent}/children`, "utf8").trim().split(" ");
    const found = children.find((pid) => pid !== "" && commandOf(pid) === "rm");
    if (found !== undefined) return Number(found);
    await new Promise((resolve) => setImmediate(resolve));
  }
  throw new Error("Nothing erases.");
}

function commandOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/comm`, "utf8").trim();
  } catch {
    return ""; // It ended meanwhile.
  }
}

/** State (`T` stands still) and nice value of a process. */
const stateOf = (pid: number): string =>
  spawnSync("ps", ["-o", "stat=,ni=", "-p", String(pid)])
    .stdout.toString()
    .trim();

const isEmpty = async (folder: string): Promise<boolean> => readdirSync(folder).length === 0;

describe("erasing", { timeout: 90_000 }, () => {
  let folder: string;
  let trash: string;
  let remove: () => void;
  beforeEach(() => {
    ({ folder, remove } = temporaryFolder());
    trash = join(folder, "trash");
  });
  afterEach(() => remove());
  /** A folder that takes a while to erase. */
  const disk = (): string => {
    const path = join(folder, "disk");
    fill(path, 20_000);
    return path;
  };

  test("takes a folder out of the way at once, comes after all else, and stands still while it is told to", async () => {
    const eraser = new Eraser(trash, () => {});
    eraser.take(disk());
    expect(existsSync(join(folder, "disk"))).toBe(false);
    const pid = await eraserOf(process.pid);
    const [first, second] = [eraser.hold(), eraser.hold()];
    await until("it stands still", async () => /^T.* 19$/.test(stateOf(pid)));
    first();
    await sleep(300);
    expect(stateOf(pid)).toMatch(/^T/);
    second();
    await until("nothing is left", () => isEmpty(trash), 60_000);
    await eraser.close();
  });

  test("begins nothing while it stands still, and takes folders that their owner may not write to", async () => {
    const eraser = new Eraser(trash, () => {});
    const release = eraser.hold();
    mkdirSync(join(folder, "stubborn", "x"), { recursive: true });
    spawnSync("chmod", ["0500", join(folder, "stubborn")]);
    eraser.take(join(folder, "stubborn"));
    await sleep(300);
    expect(await isEmpty(trash)).toBe(false);
    release();
    await until("nothing is left", () => isEmpty(trash));
    await eraser.close();
  });

  test("ends with the emulator, however that ends, and the next one takes it up", async () => {
    const source = JSON.stringify(join(__dirname, "../../emulator/sandbox/eraser"));
    const script = `const { Eraser } = require(${source}); new Eraser(${JSON.stringify(trash)}, () => {})
      .take(${JSON.stringify(disk())}); setInterval(() => {}, 1000);`;
    const child = spawn(process.execPath, ["-r", "./engine/typescript.cjs", "-e", script], {
      stdio: "inherit",
    });
    const pid = await eraserOf(child.pid as number);
    process.kill(pid, "SIGSTOP");
    child.kill("SIGKILL");
    await once(child, "exit");
    await until("nothing erases any more", async () => !isAlive(pid));
    expect(readdirSync(trash)).toHaveLength(1);
    const next = new Eraser(trash, () => {});
    next.resume();
    await until("nothing is left", () => isEmpty(trash), 60_000);
    await next.close();
  });

  test("is not waited for by a stop", async () => {
    const eraser = new Eraser(trash, () => {});
    eraser.take(disk());
    const pid = await eraserOf(process.pid);
    eraser.hold();
    await eraser.close();
    expect(isAlive(pid)).toBe(false);
    expect(readdirSync(trash)).toHaveLength(1);
  });
});

test("an instance that ends with many files holds neither the next one's boot up, nor the API", {
  timeout: 120_000,
}, async () => {
  const hosts = await Hosts.start();
  try {
    const first = await hosts.boot();
    const disk = join(hosts.folder, "instances", first.id);
    fill(join(disk, "root", "home", "ubuntu", "many"), 30_000);
    await call(hosts.cloud, "POST", "/instance-operations/terminate", { instance_ids: [first.id] });
    await until("the disk is out of the way", async () => {
      await read(hosts.cloud, first.id);
      return !existsSync(disk);
    });
    const began = Date.now();
    const id = await hosts.launch();
    let longest = 0;
    const target = await until(
      "it is active",
      async () => {
        const asked = Date.now();
        await call(hosts.cloud, "PUT", "/firewall-rules", { data: hosts.cloud.store.state.globalRules });
        longest = Math.max(longest, Date.now() - asked);
        return (await read(hosts.cloud, id)).status === "active" && hosts.locate(id);
      },
      30_000,
    );
    (await reach(target)).end();
    expect(Date.now() - began).toBeLessThan(30_000);
    expect(longest).toBeLessThan(5_000);
    await until("nothing is left of it", () => isEmpty(join(hosts.folder, "trash")), 60_000);
  } finally {
    await hosts.stop();
  }
});
