import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { guestUser, isRoot } from "./bwrap";

const run = promisify(execFile);

/** Gives folders, and all in them, to the instance's user. Nothing to do where the emulator is that user itself. */
export async function giveToGuest(...folders: readonly string[]): Promise<void> {
  if (!isRoot()) return;
  await run("chown", ["-hR", `${guestUser}:${guestUser}`, "--", ...folders]);
}
