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

/** Lets through the lines that match. The expressions are RE2's, which take linear time on any text. */
export class LineFilter {
  private readonly pattern: RE2JS;

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

  /** The line as it is shown; undefined where it is not. */
  show(line: string): string | undefined {
    const matcher = this.pattern.matcher(line);
    const found = matcher.find();
    if (found === (this.options.invert === true)) return undefined;
    const { mark } = this.options;
    if (mark === undefined || !found) return line;
    let shown = "";
    let from = 0;
    do {
      if (matcher.end() > matcher.start()) {
        shown += line.slice(from, matcher.start()) + mark(line.slice(matcher.start(), matcher.end()));
        from = matcher.end();
      }
    } while (matcher.find());
    return shown + line.slice(from);
  }
}
