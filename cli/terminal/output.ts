import { once } from "node:events";
import type { Writable } from "node:stream";
import { safeText } from "../../remote/log-text";

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

/**
 * Lets nothing that an instance names steer the terminal: names of files and metrics, messages and errors reach it
 * through the console. What a user's own command prints does not.
 */
export function printSafely(): void {
  for (const name of ["log", "error"] as const) {
    const print = console[name].bind(console);
    console[name] = (text: string) => print(safeText(text));
  }
}

/** Prints a value as JSON, all of it: what would steer a terminal is escaped. */
export function printJson(value: unknown, indent = 2): void {
  const text = JSON.stringify(value, null, indent);
  console.log(text.replace(/[\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g, escaped));
}

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}
