import { LogLines, plainText } from "../../remote/log-text";

/** A line of the log. Numbers count from 1, from where the reading began. */
export interface LogLine {
  readonly number: number;
  readonly text: string;
}

/** Characters of a line that are kept. */
const longestLine = 2000;

/** Numbers the lines of a log as its bytes come, and keeps the last ones. */
export class KeptLines {
  private readonly lines = new LogLines();
  private kept: LogLine[] = [];
  private count = 0;

  constructor(private readonly most: number) {}

  /** Takes bytes and gives the lines that they complete. */
  push(chunk: Buffer): LogLine[] {
    const lines = this.lines.push(chunk).map((line) => ({ number: ++this.count, text: shown(line) }));
    this.kept = this.kept.concat(lines.slice(-this.most));
    if (this.kept.length > 2 * this.most) this.kept = this.kept.slice(-this.most);
    return lines;
  }

  /** What a line shows that has not ended yet. */
  get open(): string {
    return shown(this.lines.open);
  }

  /** The last lines, those after a number alone. */
  after(number: number): LogLine[] {
    return this.kept.slice(-this.most).filter((line) => line.number > number);
  }

  get last(): number {
    return this.count;
  }
}

function shown(line: string): string {
  const text = plainText(line.slice(0, 4 * longestLine));
  return text.length > longestLine ? `${text.slice(0, longestLine)}…` : text;
}
