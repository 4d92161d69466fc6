/**
 * Files of this machine that cannot be sent as they are. No connection is at fault: the message names the file, and what
 * its owner can do.
 */
export class LocalReadError extends Error {
  override readonly name = "LocalReadError";
}

/** @throws LocalReadError that says why a file or folder cannot be read */
export function unreadable(path: string, error: unknown): never {
  throw new LocalReadError(`${path} can't be read: ${(error as Error).message}. Make it readable, or remove it.`, {
    cause: error,
  });
}
