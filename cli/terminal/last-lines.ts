/** What commands print last, on standard error, when their work is done. */
const lines = new Map<string, () => string | undefined>();

/** Sets the last line about something, such as a stack; what was set of it before is replaced. */
export function setLastLine(about: string, line: () => string | undefined): void {
  lines.set(about, line);
}

/** Prints them. A program that reads JSON gets none, whatever it does with standard error. */
export function printLastLines(args: readonly string[]): void {
  if (args.includes("--json")) return;
  for (const line of lines.values()) {
    const text = line();
    if (text !== undefined) console.error(text);
  }
}
