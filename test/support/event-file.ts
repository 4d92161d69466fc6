import { maskedCrc32c } from "../../cli/curves/logged/crc32c";

/** A TFRecord. */
export function record(content: Buffer): Buffer {
  const length = Buffer.alloc(12);
  length.writeBigUInt64LE(BigInt(content.length));
  length.writeUInt32LE(maskedCrc32c(length.subarray(0, 8)), 8);
  const checksum = Buffer.alloc(4);
  checksum.writeUInt32LE(maskedCrc32c(content));
  return Buffer.concat([length, content, checksum]);
}

/** A scalar as TensorBoard's writers record it. */
export function scalarEvent(tag: string, value: number, step: number, wall: number): Buffer {
  const simple = Buffer.alloc(5);
  simple[0] = 0x15;
  simple.writeFloatLE(value, 1);
  return event(Buffer.concat([field(1, Buffer.from(tag)), simple]), step, wall);
}

/** A picture of so many bytes. */
export function pictureEvent(bytes: number, step: number, wall: number): Buffer {
  return event(Buffer.concat([field(1, Buffer.from("picture")), field(4, Buffer.alloc(bytes, 7))]), step, wall);
}

function event(value: Buffer, step: number, wall: number): Buffer {
  const at = Buffer.alloc(9);
  at[0] = 0x09;
  at.writeDoubleLE(wall, 1);
  return record(Buffer.concat([at, Buffer.of(0x10), varint(step), field(5, field(1, value))]));
}

function field(number: number, content: Buffer): Buffer {
  return Buffer.concat([Buffer.of((number << 3) | 2), varint(content.length), content]);
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    bytes.push(rest < 128 ? rest : (rest % 128) | 128);
    if (rest < 128) return Buffer.from(bytes);
  }
}
