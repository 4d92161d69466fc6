import { LogLines, plainText, SafeText } from "../../remote/log-text";
import type { LineFilter } from "./line-filter";
import { write } from "./output";

/** Prints a run's log to standard output as its bytes come. */
export interface LogOutput {
  /** Waits where the reader is slow. */
  take(chunk: Buffer): Promise<void>;
  /** Prints what is left, and leaves the cursor and the colours where the next line can begin. */
  end(): Promise<void>;
}

/** What is shown of a log, and how. */
export interface LogOutputOptions {
  /** Its bytes as they are. */
  readonly raw?: boolean;
  readonly filter?: LineFilter;
  /** Stands before each line, where several logs are shown at one time. */
  readonly label?: string;
}

/**
 * The output for a log: its bytes where they are wanted as they are, in a terminal the log as it redraws itself, elsewhere
 * and through a filter each line as it was in the end.
 */
export function logOutput({ raw, filter, label }: LogOutputOptions = {}): LogOutput {
  if (raw === true) return { take: (chunk) => write(chunk), end: async () => {} };
  return process.stdout.isTTY && filter === undefined && label === undefined ? redrawing() : byLine(filter, label);
}

function redrawing(): LogOutput {
  const text = new SafeText();
  let isOpen = false;
  const show = (shown: string): Promise<void> => {
    if (shown !== "") isOpen = !shown.endsWith("\n");
    return write(shown);
  };
  return {
    take: (chunk) => show(text.push(chunk)),
    end: async () => {
      await show(text.end());
      await write(`\u001b[0m${isOpen ? "\n" : ""}`);
    },
  };
}

function byLine(filter: LineFilter | undefined, label = ""): LogOutput {
  const lines = new LogLines();
  const show = (found: readonly string[]): Promise<void> => {
    // What is searched for is not to be missed for a colour.
    const shown = filter === undefined ? found : found.flatMap((line) => filter.show(plainText(line)) ?? []);
    return write(shown.map((line) => `${label}${line}\n`).join(""));
  };
  return { take: (chunk) => show(lines.push(chunk)), end: () => show(lines.end()) };
}
