import { once } from "node:events";
import type { Writable } from "node:stream";

/**
 * Writes to standard output (or another stream) and waits where its reader is slow, so that what comes from an instance
 * is not piled up here.
 */
export async function write(data: Buffer | string, stream: Writable = process.stdout): Promise<void> {
  if (!stream.write(data)) await once(stream, "drain");
}

/** Ends the process quietly where the reader of its output has had enough, as `| head` has. */
export function endWithReader(): void {
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
    process.exit(0);
  });
}
