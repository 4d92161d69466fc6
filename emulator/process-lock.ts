import { createHash } from "node:crypto";
import * as fs from "node:fs";
import * as net from "node:net";
import * as os from "node:os";
import * as path from "node:path";

/** Another process runs the cloud of this folder. */
export class AlreadyRunning extends Error {
  override readonly name = "AlreadyRunning";
}

/**
 * Makes this process the only one that runs the cloud of a folder. The lock is a listening socket: on Linux one without
 * a file, which the kernel frees whenever and however the process ends.
 *
 * @throws AlreadyRunning
 */
export async function lockFolder(folder: string): Promise<net.Server> {
  const name = `lambda-cloud-${createHash("sha256").update(fs.realpathSync(folder)).digest("hex").slice(0, 32)}`;
  const address = process.platform === "linux" ? `\0${name}` : path.join(os.tmpdir(), name);
  return new Promise((resolve, reject) => {
    const server = net.createServer((socket) => socket.destroy());
    server.once("error", (error: NodeJS.ErrnoException) =>
      reject(error.code === "EADDRINUSE" ? new AlreadyRunning(`The cloud in ${folder} is already running.`) : error),
    );
    server.listen(address, () => resolve(server));
  });
}
