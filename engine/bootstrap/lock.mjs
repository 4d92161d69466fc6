import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { say } from "./failure.mjs";

/** A lock folder without an owner's process id is being made; older than this, its maker was killed. */
const ORPHAN_MS = 10_000;

/**
 * Does `work` while no other process does the same. Waits for the other one, and says so; the lock of a process that
 * has died is taken over.
 * @param folder path of the lock
 * @param what what the other process is doing, for the message
 */
export async function locked(folder, what, work) {
  mkdirSync(dirname(folder), { recursive: true });
  for (let told = false; !take(folder); ) {
    const owner = ownerOf(folder);
    if (owner === undefined) continue;
    if (!told) say(`Waiting for process ${owner.pid || "unknown"}, which is ${what} …`);
    told = true;
    await new Promise((wake) => setTimeout(wake, 300));
  }
  const release = () => rmSync(folder, { recursive: true, force: true });
  process.once("exit", release);
  try {
    return await work();
  } finally {
    process.removeListener("exit", release);
    release();
  }
}

function take(folder) {
  try {
    mkdirSync(folder);
  } catch (error) {
    if (error.code === "EEXIST") return false;
    throw error;
  }
  writeFileSync(join(folder, "pid"), String(process.pid));
  return true;
}

/** Who holds the lock; undefined where nobody does any more (a dead owner's lock is removed). */
function ownerOf(folder) {
  let pid;
  try {
    pid = Number(readFileSync(join(folder, "pid"), "utf8"));
  } catch {
    const made = statSync(folder, { throwIfNoEntry: false });
    if (made === undefined) return undefined;
    if (Date.now() - made.mtimeMs < ORPHAN_MS) return { pid: 0 };
  }
  if (pid && alive(pid)) return { pid };
  rmSync(folder, { recursive: true, force: true });
  return undefined;
}

function alive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === "EPERM";
  }
}
