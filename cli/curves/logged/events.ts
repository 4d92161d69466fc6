import type { FileBytes } from "./bytes";
import { maskedCrc32c } from "./crc32c";
import type { CurveCollector } from "./points";
import { Damaged, fieldsOf, signed } from "./protobuf";
import { scalarsIn } from "./scalars";

/** A record with more bytes is passed over: it holds pictures. */
const mostRecord = 8 << 20;
const header = 12;
const footer = 4;
/** After a damaged length, the next record is looked for in so many bytes. */
const far = 64 << 10;

/**
 * Reads TensorBoard's event files: TFRecords (length, its checksum, content, its checksum), each an Event as a protocol
 * buffer. scripts/agent/curves/events.py reads the same on the instance.
 */
export function readEvents(bytes: FileBytes, curves: CurveCollector, isDue: () => boolean): number {
  let at = 0;
  while (!isDue()) {
    const head = bytes.at(at, header);
    if (head === undefined) break;
    if (!isHeader(head)) {
      const next = nextRecord(bytes, at);
      if (next === undefined) break;
      curves.damaged += 1;
      at = next;
      continue;
    }
    const length = Number(head.readBigUInt64LE(0));
    const end = at + header + length + footer;
    if (end > bytes.size) break;
    const content = length > mostRecord ? undefined : bytes.at(at + header, length + footer);
    if (content !== undefined) {
      try {
        take(content, length, curves);
      } catch (error) {
        if (!(error instanceof Damaged)) throw error;
        curves.damaged += 1;
      }
    }
    at = end;
  }
  return at;
}

function isHeader(head: Buffer): boolean {
  return maskedCrc32c(head.subarray(0, 8)) === head.readUInt32LE(8);
}

/** Where the next whole header is; undefined where none is near. */
function nextRecord(bytes: FileBytes, at: number): number | undefined {
  const length = Math.min(far, bytes.size - at - 1);
  const part = bytes.at(at + 1, length) ?? Buffer.alloc(0);
  for (let offset = 0; offset + header <= part.length; offset++) {
    if (isHeader(part.subarray(offset, offset + header))) return at + 1 + offset;
  }
  return part.length === far ? at + 1 + far : undefined;
}

/** Of most records nothing is wanted, such as pictures: the checksum of these is not looked at. */
function take(content: Buffer, length: number, curves: CurveCollector): void {
  let [wall, step, starts] = [Number.NaN, 0, false];
  const found: [string, number][] = [];
  for (const field of fieldsOf(content.subarray(0, length))) {
    const { number, kind } = field;
    if (number === 1 && kind === "eight") wall = field.content.readDoubleLE(0);
    else if (number === 2 && kind === "varint") step = signed(field.value);
    else if (number === 5 && kind === "bytes") found.push(...scalarsIn(field.content));
    else if (number === 7 && kind === "bytes") starts = isStart(field.content);
  }
  if (found.length === 0 && !starts) return;
  if (maskedCrc32c(content.subarray(0, length)) !== content.readUInt32LE(length)) throw new Damaged("another checksum");
  if (starts) curves.purge(step);
  for (const [name, value] of found) curves.add(name, step, value, wall);
}

/** Whether a session's log tells of a start: what an earlier one had written from there on is void. */
function isStart(content: Buffer): boolean {
  return [...fieldsOf(content)].some(({ number, kind, value }) => number === 1 && kind === "varint" && value === 1n);
}
