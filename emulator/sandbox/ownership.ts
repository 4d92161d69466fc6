import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { guestUser, isRoot } from "./bwrap";

const run = promisify(execFile);

/** Gives folders, and all in them, to the instance's user. Nothing to do where the emulator is that user itself. */
export async function giveToGuest(...folders: readonly string[]): Promise<void> {
  if (!isRoot()) return;
  await run("chown", ["-hR", `${guestUser}:${guestUser}`, "--", ...folders]);
}

/** Erases a folder with all that is in it, folders that their owner may not write to included. */
export async function eraseFolder(folder: string): Promise<void> {
  // Node's own holds a promise for each file.
  const erase = () => run("rm", ["-rf", "--", folder]);
  try {
    await erase();
  } catch {
    await run("chmod", ["-R", "u+rwX", "--", folder]).catch(() => {}); // What it could not change, the next line tells.
    await erase();
  }
}
