import { StringDecoder } from "node:string_decoder";
import { masked } from "../local/kept-secrets";

/** Characters of one sequence that are looked at: one that never ends must hide no more of the log. */
const longestSequence = 4096;
/** A longer line comes in pieces, so that one without an end does not fill the memory. */
const longestLine = 1 << 20;

const esc = "\\u001b";
/** Introduces what ends with a letter: colours, cursor. */
const control = `(?:${esc}\\[|\\u009b)`;
/** Introduces and holds text for the terminal itself: title, clipboard, links. A line's end ends it too. */
const command = `(?:${esc}[\\]PX^_]|[\\u0090\\u0098\\u009d-\\u009f])[^\\u0007\\u001b\\u0080-\\u009f\\r\\n]{0,${longestSequence}}`;
const steering = new RegExp(
  [
    `${control}([0-?]{0,64})([ -/]{0,4}[@-~])`,
    `${command}(?:\\u0007|${esc}\\\\|\\u009c)?`,
    `${esc}[ -/]{0,4}[0-~]`,
    "[\\u0000-\\u0008\\u000b\\u000c\\u000e-\\u001f\\u007f-\\u009f]",
    "[\\u202a-\\u202e\\u2066-\\u2069]", // would show the line in another order
  ].join("|"),
  "g",
);
const unfinished = new RegExp(`(?:${control}[0-?]{0,64}[ -/]{0,4}|${command}${esc}?|${esc}[ -/]{0,4})$`);
const colours = new RegExp(`${esc}\\[[\\d;:]*m`, "g");

/**
 * What somebody else wrote, without what would steer the reader's terminal: colours, tabs, returns and line ends stay,
 * and no other control character. Secrets that this process knows are masked.
 */
export function safeText(text: string): string {
  return masked(text).replace(steering, (_, parameters = "?", end = "") =>
    end === "m" && /^[\d;:]*$/.test(parameters) ? `\u001b[${parameters}m` : "",
  );
}

/** The same as one line without colours. */
export function plainText(text: string): string {
  return safeText(text)
    .replace(colours, "")
    .replace(/[\r\n]+/g, " ");
}

/** {@link safeText} of a stream, whose bytes may be cut anywhere. */
export class SafeText {
  private readonly decoder = new StringDecoder("utf8");
  private held = "";

  push(chunk: Buffer): string {
    const text = this.held + this.decoder.write(chunk);
    const at = text.search(unfinished);
    this.held = at < 0 ? "" : text.slice(at);
    return safeText(at < 0 ? text : text.slice(0, at));
  }

  /** What is left where the stream has ended. */
  end(): string {
    return safeText(this.held + this.decoder.end());
  }
}

/**
 * Cuts a log into lines of {@link safeText} as its bytes come. A progress bar writes over its line with returns: what
 * it shows last is its line.
 */
export class LogLines {
  private readonly text = new SafeText();
  private rest = "";

  /** The lines that a chunk completes. */
  push(chunk: Buffer): string[] {
    return this.cut(this.text.push(chunk));
  }

  /** The lines that the end of the log completes. */
  end(): string[] {
    const lines = this.cut(this.text.end());
    return this.rest === "" ? lines : [...lines, lastState(this.rest)];
  }

  /** What a line shows that has not ended yet. */
  get open(): string {
    return lastState(this.rest);
  }

  private cut(text: string): string[] {
    const pieces = (this.rest + text).split("\n");
    const last = pieces.pop() ?? "";
    // A return at its end may be part of the line's end.
    this.rest = lastState(last) + (last.endsWith("\r") ? "\r" : "");
    const lines = pieces.map(lastState);
    if (this.rest.length <= longestLine) return lines;
    lines.push(lastState(this.rest));
    this.rest = "";
    return lines;
  }
}

/** The lines of a text that show something, as {@link LogLines} has them. */
export function logLines(text: string): string[] {
  const lines = new LogLines();
  return [...lines.push(Buffer.from(text)), ...lines.end()].filter((line) => plainText(line).trim() !== "");
}

function lastState(line: string): string {
  let end = line.length;
  while (line[end - 1] === "\r") end--;
  return line.slice(line.lastIndexOf("\r", end - 1) + 1, end);
}
