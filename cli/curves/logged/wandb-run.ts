import { crc32 } from "node:zlib";
import { json } from "../tables";
import type { FileBytes } from "./bytes";
import type { CurveCollector } from "./points";
import { Damaged, fieldsOf, signed } from "./protobuf";

const begin = ":W&B";
const fileHeader = 7;
const block = 32 << 10;
const header = 7;
const [full, first, last] = [1, 2, 4];
const mostRecord = 8 << 20;
/** How many members of members are values. */
const deepest = 3;

/**
 * Reads W&B's runs (`run-<id>.wandb`): a header, then blocks of 32 KiB with pieces of records, as in the log of LevelDB; each
 * record a protocol buffer. Those of a run's history are read. scripts/agent/curves/wandb_run.py does it on the instance.
 */
export function readWandbRun(bytes: FileBytes, curves: CurveCollector, isDue: () => boolean): number {
  if (bytes.at(0, fileHeader)?.toString("latin1", 0, 4) !== begin) {
    if (bytes.size >= fileHeader) curves.damaged += 1;
    return bytes.size;
  }
  let place = fileHeader;
  // The pieces of a record; undefined while a damaged one is passed over.
  let parts: Buffer[] | undefined = [];
  while (!isDue()) {
    const left = block - (place % block);
    if (left < header) {
      place += left;
      continue;
    }
    const head = bytes.at(place, header);
    if (head === undefined) break;
    const [checksum, length, kind] = [head.readUInt32LE(0), head.readUInt16LE(4), head.readUInt8(6)];
    if (kind === 0 || kind > last || length > left - header) {
      // Nothing more is in this block.
      if (place + left > bytes.size) break;
      if (kind !== 0 || length !== 0) curves.damaged += 1;
      place += left;
      parts = undefined;
      continue;
    }
    const content = bytes.at(place + header, length);
    if (content === undefined) break;
    place += header + length;
    if (crc32(content, crc32(Buffer.of(kind))) !== checksum) {
      curves.damaged += 1;
      parts = undefined;
    } else if (kind === full || kind === first) {
      parts = [Buffer.from(content)];
    } else {
      parts?.push(Buffer.from(content));
    }
    if (kind === full || kind === last) {
      take(Buffer.concat(parts ?? []), curves);
      parts = [];
    } else if (parts !== undefined && parts.reduce((sum, each) => sum + each.length, 0) > mostRecord) {
      parts = undefined;
    }
  }
  return place;
}

const [historyField, stepField] = [2, 2];

function take(record: Buffer, curves: CurveCollector): void {
  try {
    for (const { number, kind, content } of fieldsOf(record)) {
      if (number === historyField && kind === "bytes") takeRow(content, curves);
    }
  } catch (error) {
    if (!(error instanceof Damaged)) throw error;
    curves.damaged += 1;
  }
}

function takeRow(history: Buffer, curves: CurveCollector): void {
  const row = new Map<string, number>();
  let step: number | undefined;
  for (const { number, kind, content } of fieldsOf(history)) {
    if (kind !== "bytes") continue;
    if (number === 1) takeItem(content, row);
    else if (number === stepField) step = signed([...fieldsOf(content)].find((each) => each.number === 1)?.value ?? 0n);
  }
  curves.addRow(row, row.get("_step") ?? step, row.get("_timestamp"));
}

/** A value of a row with its name, whose parts are joined by /. */
function takeItem(item: Buffer, row: Map<string, number>): void {
  const names: string[] = [];
  let told: string | undefined;
  for (const { number, kind, content } of fieldsOf(item)) {
    if (kind !== "bytes") continue;
    if (number === 1 || number === 2) names.push(content.toString("utf8"));
    else if (number === 16) told = content.toString("utf8");
  }
  const name = names.join("/");
  if (/^(?:NaN|-?Infinity)$/.test(told ?? "")) row.set(name, Number(told));
  else takeNumbers(name, told === undefined ? undefined : json(told), row);
}

function takeNumbers(name: string, value: unknown, row: Map<string, number>, depth = 1): void {
  if (typeof value === "number") row.set(name, value);
  else if (typeof value === "object" && value !== null && !Array.isArray(value) && depth <= deepest) {
    if ("_type" in value) return;
    for (const [member, inner] of Object.entries(value)) takeNumbers(`${name}/${member}`, inner, row, depth + 1);
  }
}
