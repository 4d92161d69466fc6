import { randomBytes } from "node:crypto";
import * as fs from "node:fs";
import * as path from "node:path";

/** The disk of the emulated cloud has no room. */
export class DiskFull extends Error {
  override readonly name = "DiskFull";
  constructor(file: string, cause: unknown) {
    super(
      `The emulated cloud can't save its state: no space is left in ${path.dirname(file)}. Free space there, then try again.`,
      { cause },
    );
  }
}

/** Replaces a file in one step, mode 0600. Nothing of it stays where that fails. @throws DiskFull */
export function writeAtomically(file: string, content: string): void {
  const next = `${file}.${process.pid}.next`;
  writeWhole(next, content);
  fs.renameSync(next, file);
}

/** The text of a file, or undefined where there is none. */
export function readIfThere(file: string): string | undefined {
  try {
    return fs.readFileSync(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

/** Room on a disk, held by a file until it is needed. */
export class Reserve {
  private held = 0;

  constructor(private readonly file: string) {}

  /** Sees that at least so many bytes are held, and holds twice as many where they are not. @throws DiskFull */
  hold(bytes: number): void {
    if (this.held >= bytes) return;
    this.held = 0;
    // Random, since a file system that compresses would hold no room for zeros.
    writeWhole(this.file, randomBytes(2 * bytes));
    this.held = 2 * bytes;
  }

  /** Gives the room back to whatever needs it now. */
  release(): void {
    this.held = 0;
    fs.rmSync(this.file, { force: true });
  }
}

function writeWhole(file: string, content: string | Buffer): void {
  try {
    const fd = fs.openSync(file, "w", 0o600);
    try {
      fs.writeFileSync(fd, content);
      fs.fsyncSync(fd);
    } finally {
      fs.closeSync(fd);
    }
  } catch (error) {
    fs.rmSync(file, { force: true });
    const { code = "" } = error as NodeJS.ErrnoException;
    throw ["ENOSPC", "EDQUOT"].includes(code) ? new DiskFull(file, error) : error;
  }
}
