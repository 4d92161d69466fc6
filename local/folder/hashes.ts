import { createHash, hash } from "node:crypto";
import { closeSync, openSync, readSync } from "node:fs";
import { open } from "node:fs/promises";

/** Up to this size a file is read in one go: that costs a fraction of what waiting for the disk's answer does. */
export const smallBytes = 256 * 1024;
const small = Buffer.allocUnsafe(smallBytes + 1);

/** SHA-256 of a file of at most `smallBytes`, read at once; of one that has grown, of what it has now. */
export function hashSmall(path: string, onBytes?: (bytes: number) => void): string {
  const file = openSync(path, "r");
  try {
    const sum = createHash("sha256");
    let length = readSync(file, small, 0, small.length, null);
    if (length < small.length) {
      onBytes?.(length);
      return hash("sha256", small.subarray(0, length), "hex");
    }
    for (; length > 0; length = readSync(file, small, 0, small.length, null)) {
      sum.update(small.subarray(0, length));
      onBytes?.(length);
    }
    return sum.digest("hex");
  } finally {
    closeSync(file);
  }
}

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

/** SHA-256 of a text that comes in many small pieces, hexadecimal. */
export class TextDigest {
  private readonly sum = createHash("sha256");
  private text = "";

  add(piece: string): void {
    this.text += piece;
    if (this.text.length > 1 << 16) this.flush();
  }

  digest(): string {
    this.flush();
    return this.sum.digest("hex");
  }

  private flush(): void {
    this.sum.update(this.text);
    this.text = "";
  }
}

/** SHA-256 of a text, hexadecimal. */
export function hashText(text: string): string {
  return hash("sha256", text, "hex");
}
