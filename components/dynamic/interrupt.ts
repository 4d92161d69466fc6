import { existsSync } from "node:fs";
import { join } from "node:path";
import { localFolder } from "../../local/paths";

/**
 * The file by which `npm run up` and `npm run down` say that they were interrupted, and the CLI of this process id with
 * them. The engine itself tells its providers nothing of a first interruption: it waits for all that they do. In a
 * terminal the CLI takes Ctrl-C as a key, so that nobody else learns of it, and a second one ends it.
 */
export function interruptMark(cliPid: number): string {
  return join(localFolder(), `interrupted-${cliPid}`);
}

const lookMs = 500;
let signal: AbortSignal | undefined;

/**
 * Aborted once the command that started this process's CLI was interrupted. It ends waits (for capacity, for a boot, for
 * a run), which the next command takes up again; what has begun to change something is brought to its end.
 */
export function interrupted(): AbortSignal {
  if (signal !== undefined) return signal;
  const controller = new AbortController();
  const mark = interruptMark(process.ppid);
  const timer = setInterval(() => {
    if (!existsSync(mark)) return;
    clearInterval(timer);
    const next = "Run the command again to continue, or `npm run down` to terminate everything.";
    controller.abort(new Error(`Interrupted while waiting. ${next}`));
  }, lookMs).unref();
  signal = controller.signal;
  return signal;
}
