import { mkdirSync, readFileSync, renameSync, rmdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { say } from "./failure.mjs";

/*
 * local/lock.ts is the lock of the program and the commands, by proper-lockfile. This one can't use that: it guards the very
 * installation of npm packages. Nor can the other use this one: it is for work that may stand still on a shared folder, where a
 * process id of another machine says nothing, so it goes by signs of life. No lock is taken by both.
 */

const LOOK_AGAIN_MS = 200;
/** Taking over a dead process's lock is done at once; a guard that is older than this was left behind itself. */
const GUARD_MS = 10_000;

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
    if (owner !== undefined && alive(owner)) {
      if (!told) say(`Waiting for process ${owner}, which is ${what} …`);
      told = true;
    } else if (removeDead(folder)) continue;
    await new Promise((wake) => setTimeout(wake, LOOK_AGAIN_MS));
  }
  const release = () => remove(folder);
  process.once("exit", release);
  try {
    return await work();
  } finally {
    process.removeListener("exit", release);
    release();
  }
}

/** The lock appears with its owner's process id in it, or not at all: a folder is not renamed onto a filled one. */
function take(folder) {
  const made = `${folder}.${process.pid}`;
  mkdirSync(made, { recursive: true });
  writeFileSync(join(made, "pid"), String(process.pid));
  try {
    renameSync(made, folder);
    return true;
  } catch (error) {
    rmSync(made, { recursive: true, force: true });
    if (error.code === "ENOTEMPTY" || error.code === "EEXIST") return false;
    throw error;
  }
}

/** Gone at once for everybody else, however long the cleanup takes. */
function remove(folder) {
  const old = `${folder}.${process.pid}`;
  renameSync(folder, old);
  rmSync(old, { recursive: true, force: true });
}

function ownerOf(folder) {
  try {
    return Number(readFileSync(join(folder, "pid"), "utf8"));
  } catch {
    return undefined;
  }
}

/**
 * Removes a dead process's lock. Only the holder of the guard looks and removes, so that nobody removes the lock of
 * whoever was faster. Returns whether it was this process's turn.
 */
function removeDead(folder) {
  const guard = `${folder}.guard`;
  try {
    mkdirSync(guard);
  } catch {
    const made = statSync(guard, { throwIfNoEntry: false });
    if (made && Date.now() - made.mtimeMs > GUARD_MS) rmSync(guard, { recursive: true, force: true });
    return false;
  }
  const owner = ownerOf(folder);
  if (owner !== undefined && !alive(owner)) remove(folder);
  rmdirSync(guard);
  return true;
}

function alive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === "EPERM";
  }
}
