import { RE2JS, RE2JSException } from "re2js";
import { CommandError, exitCodes } from "./command";

/** Which lines to show. */
export interface LineFilterOptions {
  readonly pattern: string;
  readonly ignoreCase?: boolean;
  /** Show the lines that do not match. */
  readonly invert?: boolean;
  /** Makes what matched stand out. */
  readonly mark?: (text: string) => string;
}

/** A longer line is looked at in pieces of this length, so that one without an end does not fill the memory. */
const longestLine = 1 << 20;

/**
 * Lets through the lines that match, each as soon as it is whole. What a progress bar writes over counts as lines. The
 * expressions are RE2's, which take linear time on any text.
 */
export class LineFilter {
  private readonly pattern: RE2JS;
  private readonly decoder = new TextDecoder();
  private rest = "";

  /** @throws CommandError where the pattern is no regular expression. */
  constructor(private readonly options: LineFilterOptions) {
    try {
      this.pattern = RE2JS.compile(options.pattern, options.ignoreCase === true ? RE2JS.CASE_INSENSITIVE : 0);
    } catch (error) {
      if (!(error instanceof RE2JSException)) throw error;
      throw new CommandError(
        `--grep ${options.pattern}: ${error.message}. It takes RE2's expressions: no lookaround, no backreferences.`,
        exitCodes.usage,
      );
    }
  }

  /** The text to show of a chunk; characters and lines may be cut anywhere between chunks. */
  push(chunk: Buffer): string {
    const lines = `${this.rest}${this.decoder.decode(chunk, { stream: true })}`.split(/\r?\n|\r(?!$)/);
    this.rest = lines.pop() ?? "";
    if (this.rest.length > longestLine) {
      lines.push(this.rest);
      this.rest = "";
    }
    return lines.map((line) => this.show(line)).join("");
  }

  /** The text to show of a last line without an end. */
  flush(): string {
    const line = `${this.rest}${this.decoder.decode()}`;
    this.rest = "";
    return line === "" ? "" : this.show(line.replace(/\r$/, ""));
  }

  private show(line: string): string {
    const matcher = this.pattern.matcher(line);
    const found = matcher.find();
    if (found === (this.options.invert === true)) return "";
    const { mark } = this.options;
    if (mark === undefined || !found) return `${line}\n`;
    let shown = "";
    let from = 0;
    do {
      if (matcher.end() > matcher.start()) {
        shown += line.slice(from, matcher.start()) + mark(line.slice(matcher.start(), matcher.end()));
        from = matcher.end();
      }
    } while (matcher.find());
    return `${shown}${line.slice(from)}\n`;
  }
}
