import { StringDecoder } from "node:string_decoder";

/** A line of the log. Numbers count from 1, from where the reading began. */
export interface LogLine {
  readonly number: number;
  readonly text: string;
}

/** Characters of a line that are kept. */
const longestLine = 2000;
const escapes = new RegExp(
  [
    "\\u001b\\[[0-?]*[ -/]*[@-~]", // colours, cursor
    "\\u001b\\][^\\u0007\\u001b]*(?:\\u0007|\\u001b\\\\)", // titles, links
    "\\u001b[ -/]*[0-~]",
    "[\\u0000-\\u0008\\u000b-\\u001f\\u007f-\\u009f]",
    "[\\u202a-\\u202e\\u2066-\\u2069]", // would show the line in another order
  ].join("|"),
  "g",
);

/** A line as it can be shown: without what steers a terminal, and not too long. */
export function plainText(line: string): string {
  const text = line.slice(0, 4 * longestLine).replace(escapes, "");
  return text.length > longestLine ? `${text.slice(0, longestLine)}…` : text;
}

/**
 * Cuts a log into lines as its bytes come. A progress bar writes over its line with returns: what it shows last is its
 * line. Keeps the last lines alone.
 */
export class LogLines {
  private readonly decoder = new StringDecoder("utf8");
  private rest = "";
  private kept: LogLine[] = [];
  private count = 0;

  constructor(private readonly most: number) {}

  /** Takes bytes and gives the lines that they complete. */
  push(chunk: Buffer): LogLine[] {
    const pieces = (this.rest + this.decoder.write(chunk)).split("\n");
    // Of a line without end its latest part is enough.
    this.rest = (pieces.pop() ?? "").slice(-16 * longestLine);
    const lines = pieces.map((piece) => {
      this.count++;
      return { number: this.count, text: shown(piece) };
    });
    this.kept = this.kept.concat(lines.slice(-this.most));
    if (this.kept.length > 2 * this.most) this.kept = this.kept.slice(-this.most);
    return lines;
  }

  /** What a line shows that has not ended yet. */
  get open(): string {
    return shown(this.rest);
  }

  /** The last lines, those after a number alone. */
  after(number: number): LogLine[] {
    return this.kept.slice(-this.most).filter((line) => line.number > number);
  }

  get last(): number {
    return this.count;
  }
}

function shown(piece: string): string {
  const line = piece.endsWith("\r") ? piece.slice(0, -1) : piece;
  return plainText(line.slice(line.lastIndexOf("\r") + 1));
}
