import { fieldsOf, signed } from "./protobuf";

const formats: Readonly<Record<number, { readonly size: number; readonly read: (bytes: Buffer) => number }>> = {
  1: { size: 4, read: (bytes) => bytes.readFloatLE(0) },
  2: { size: 8, read: (bytes) => bytes.readDoubleLE(0) },
  3: { size: 4, read: (bytes) => bytes.readInt32LE(0) },
  9: { size: 8, read: (bytes) => Number(bytes.readBigInt64LE(0)) },
  19: { size: 2, read: half },
};
/** Where a tensor keeps its numbers, besides as bytes: field → format. */
const lists: Readonly<Record<number, number>> = { 5: 1, 6: 2 };

/** [tag, value] of each scalar in a summary, written as such or as a tensor with one element. @throws Damaged */
export function* scalarsIn(summary: Buffer): Generator<[string, number]> {
  for (const { number, kind, content } of fieldsOf(summary)) {
    if (number !== 1 || kind !== "bytes") continue;
    let name: string | undefined;
    let value: number | undefined;
    for (const field of fieldsOf(content)) {
      if (field.number === 1 && field.kind === "bytes") name = field.content.toString("utf8");
      else if (field.number === 2 && field.kind === "four") value = field.content.readFloatLE(0);
      else if (field.number === 8 && field.kind === "bytes") value = tensorValue(field.content);
    }
    if (name !== undefined && value !== undefined && !name.startsWith("_hparams_/")) yield [name, value];
  }
}

/** The number in a tensor that holds one; undefined for any other. */
function tensorValue(tensor: Buffer): number | undefined {
  let [type, found]: [number, number | undefined] = [0, undefined];
  for (const { number, kind, value, content } of fieldsOf(tensor)) {
    if (number === 1 && kind === "varint") type = Number(value);
    else if (number === 2 && kind === "bytes" && !isSingle(content)) return undefined;
    else if (number === 4 && kind === "bytes" && content.length > 0 && type in formats) found = one(type, content);
    else if (number in lists && kind !== "varint") found = one(lists[number] ?? 0, content);
    else if (number === 7 || number === 10) found = kind === "varint" ? signed(value) : wholeIn(content);
  }
  return type in formats ? found : undefined;
}

/** Whether a shape has no size but 1. */
function isSingle(shape: Buffer): boolean {
  for (const { number, kind, content } of fieldsOf(shape)) {
    if (number !== 2) continue;
    const sizes = kind !== "bytes" ? [] : [...fieldsOf(content)].filter((each) => each.number === 1);
    if (sizes.length !== 1 || sizes[0]?.value !== 1n) return false;
  }
  return true;
}

function one(type: number, content: Buffer): number | undefined {
  const format = formats[type];
  return format !== undefined && content.length === format.size ? format.read(content) : undefined;
}

/** The one number in a packed list. */
function wholeIn(content: Buffer): number | undefined {
  if (content.length === 0 || content.length > 10) return undefined;
  // As the value of a field.
  const [field, ...more] = fieldsOf(Buffer.concat([Buffer.of(8), content.subarray(0, endOfVarint(content))]));
  return more.length > 0 || field === undefined || endOfVarint(content) !== content.length
    ? undefined
    : signed(field.value);
}

function endOfVarint(content: Buffer): number {
  return content.findIndex((byte) => byte < 128) + 1;
}

function half(bytes: Buffer): number {
  const bits = bytes.readUInt16LE(0);
  const [sign, exponent, fraction] = [bits >> 15 ? -1 : 1, (bits >> 10) & 31, bits & 1023];
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
