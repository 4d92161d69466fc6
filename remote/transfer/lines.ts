import type { Readable } from "node:stream";

const newline = 10;

/** The lines of a stream, as many at once as have come. Fails where it has more bytes than `most`, or ends within a line. */
export async function* linesOf(stream: Readable, most: number): AsyncGenerator<string[]> {
  let rest: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > most) throw new Error(`More than ${most} bytes of lines came.`);
    const end = chunk.lastIndexOf(newline);
    if (end === -1) {
      rest.push(chunk);
      continue;
    }
    const whole = Buffer.concat([...rest, chunk.subarray(0, end)]);
    rest = end + 1 === chunk.length ? [] : [chunk.subarray(end + 1)];
    yield whole.toString("utf8").split("\n");
  }
  if (rest.length > 0) throw new Error("The last line has no end.");
}
