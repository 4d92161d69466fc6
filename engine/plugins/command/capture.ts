import { StringDecoder } from "node:string_decoder";
import type { Logging } from "./inputs";

/** A status row shows one line: longer ones are cut, and output without any line end is shown piecewise. */
const SHOWN_LINE_LENGTH = 4096;

export type Stream = "stdout" | "stderr";

/** Collects a command's output, and shows it line by line while it comes. */
export class Capture {
  private readonly chunks: { stream: Stream; data: Buffer }[] = [];
  private readonly shown: { [stream in Stream]?: Lines };

  /**
   * @param logging which streams to show; undefined shows both
   * @param show gets each line, without its end
   */
  constructor(logging: Logging | undefined, show: (line: string) => void) {
    const wanted = (stream: Stream) => logging === undefined || logging === stream || logging === "stdoutAndStderr";
    this.shown = {
      ...(wanted("stdout") ? { stdout: new Lines(show) } : {}),
      ...(wanted("stderr") ? { stderr: new Lines(show) } : {}),
    };
  }

  add(stream: Stream, data: Buffer): void {
    this.chunks.push({ stream, data });
    this.shown[stream]?.add(data);
  }

  /** Shows what is left without a line end. Call it when the command has ended. */
  end(): void {
    this.shown.stdout?.end();
    this.shown.stderr?.end();
  }

  /** All that a stream said, less one line end at its end, as the outputs have it. */
  text(stream: Stream): string {
    return this.join((chunk) => chunk.stream === stream).replace(/\n$/, "");
  }

  /** Both streams in order of arrival, for error messages. */
  both(): string {
    return this.join(() => true);
  }

  private join(keep: (chunk: { stream: Stream }) => boolean): string {
    return Buffer.concat(this.chunks.filter(keep).map((chunk) => chunk.data)).toString("utf8");
  }
}

/** Cuts a byte stream into lines. A carriage return ends a line too: progress bars write nothing else. */
class Lines {
  private readonly decoder = new StringDecoder("utf8");
  private rest = "";

  constructor(private readonly show: (line: string) => void) {}

  add(data: Buffer): void {
    const lines = (this.rest + this.decoder.write(data)).split(/\r\n|\n|\r/);
    this.rest = lines.pop() ?? "";
    if (this.rest.length > SHOWN_LINE_LENGTH) {
      lines.push(this.rest);
      this.rest = "";
    }
    for (const line of lines) this.emit(line);
  }

  end(): void {
    this.emit(this.rest + this.decoder.end());
    this.rest = "";
  }

  private emit(line: string): void {
    if (line.trim() !== "") this.show(line.slice(0, SHOWN_LINE_LENGTH));
  }
}
