import { paceOf, StatusLine } from "../../engine/link/status-line";
import type { Listener } from "../../local/listener";

/** Seconds between two lines of a command in a terminal, where somebody waits for it. */
const terminalSeconds = 5;

/** Runs something that reports its progress, and prints it: every few seconds in a terminal, else about once a minute. */
export async function printing<T>(print: (line: string) => void, run: (listener: Listener) => Promise<T>): Promise<T> {
  const pace = process.stdout.isTTY ? { live: false, everySeconds: terminalSeconds } : paceOf(false);
  const line = new StatusLine(print, pace);
  try {
    return await run({ progress: print, status: (phase, detail) => line.tell(phase, detail) });
  } finally {
    line.end();
  }
}
