/** A field of a message in protocol buffers. */
export interface Field {
  readonly number: number;
  readonly kind: "varint" | "eight" | "bytes" | "four";
  /** Of a varint. */
  readonly value: bigint;
  /** Of all others. */
  readonly content: Buffer;
}

/** What was read is no message. */
export class Damaged extends Error {}

const nothing = Buffer.alloc(0);
const kinds = new Map([
  [0, "varint"],
  [1, "eight"],
  [2, "bytes"],
  [5, "four"],
] as const);
const longestVarint = 10;

/** The fields of a message. @throws Damaged */
export function* fieldsOf(message: Buffer): Generator<Field> {
  let at = 0;
  const varint = (): number | bigint => {
    let [value, scale] = [0, 1];
    const begins = at;
    while (at < message.length && at - begins < longestVarint) {
      const byte = message[at++] ?? 0;
      value += (byte & 127) * scale;
      scale *= 128;
      if (byte < 128) return Number.isSafeInteger(value) ? value : exactly(message.subarray(begins, at));
    }
    throw new Damaged("a number without an end");
  };
  while (at < message.length) {
    const key = Number(varint());
    const kind = kinds.get((key & 7) as 0);
    const number = Math.floor(key / 8);
    if (kind === "varint") {
      yield { number, kind, value: BigInt(varint()), content: nothing };
      continue;
    }
    const length = kind === "eight" ? 8 : kind === "four" ? 4 : kind === "bytes" ? Number(varint()) : Infinity;
    if (kind === undefined || at + length > message.length) throw new Damaged("a field without an end");
    yield { number, kind, value: 0n, content: message.subarray(at, at + length) };
    at += length;
  }
}

function exactly(bytes: Buffer): bigint {
  const value = bytes.reduce((sum, byte, at) => sum | (BigInt(byte & 127) << BigInt(7 * at)), 0n);
  return BigInt.asUintN(64, value);
}

/** A number that may be negative. */
export function signed(value: bigint): number {
  return Number(BigInt.asIntN(64, value));
}
