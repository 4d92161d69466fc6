import { closeSync, constants, openSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A language host that has just begun waits for the other end of its pipe, and must not meet this one there. */
const youngMs = 10 * 60_000;

/** Removes the folders of pipes that language hosts left behind which were killed. */
export function removeDeadPipes() {
  const names = readdirSync(tmpdir()).filter((name) => name.startsWith("pulumi-node-pipes"));
  for (const path of names.map((name) => join(tmpdir(), name))) {
    try {
      if (Date.now() - statSync(path).mtimeMs < youngMs) continue;
      closeSync(openSync(join(path, "invoke_req"), constants.O_WRONLY | constants.O_NONBLOCK));
    } catch (error) {
      // Nobody reads it. One that is gone or somebody else's is none of ours.
      if (error.code === "ENXIO") rmSync(path, { recursive: true, force: true });
    }
  }
}
