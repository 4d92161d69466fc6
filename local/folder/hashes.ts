import { createHash } from "node:crypto";
import { open } from "node:fs/promises";

/** SHA-256 of a file's content, hexadecimal. */
export async function hashFile(path: string, onBytes?: (bytes: number) => void): Promise<string> {
  const hash = createHash("sha256");
  const handle = await open(path);
  try {
    const { size } = await handle.stat();
    // A stream costs more than the reading of a small file.
    const buffer = Buffer.allocUnsafe(Math.min(Math.max(size, 1), readBytes));
    for (let read = await handle.read(buffer); read.bytesRead > 0; read = await handle.read(buffer)) {
      hash.update(buffer.subarray(0, read.bytesRead));
      onBytes?.(read.bytesRead);
    }
  } finally {
    await handle.close();
  }
  return hash.digest("hex");
}

const readBytes = 1024 * 1024;

/** SHA-256 of a text, hexadecimal. */
export function hashText(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
