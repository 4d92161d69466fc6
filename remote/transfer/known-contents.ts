import { randomInt } from "node:crypto";
import { LineFile } from "../../local/folder/lines";

/** A place of content: the number of a folder, and a path in it. */
export interface KnownContent {
  readonly source: number;
  readonly path: string;
}

/** A line: checksum, number of the folder, path. */
type Line = readonly [sha256: string, source: number, path: string];

const fewest = 1 << 10;

/**
 * Where content lies, by its checksum. The places are on the disk; of each content, the memory holds the beginning of the
 * checksum and where its line begins: 16 bytes, in a table that is at most two thirds full.
 */
export class KnownContents {
  private readonly lines: LineFile;
  private keys = new Uint32Array(2 * fewest);
  /** Of each content twice where its line begins, and one more once it is used; -1 where the table has none. */
  private values = new Float64Array(fewest).fill(-1);
  private count = 0;
  // Whoever makes contents can't know which of them meet in the table.
  private readonly salt = randomInt(2 ** 32) | 1;

  /** @param path Where the places go. */
  constructor(path: string) {
    this.lines = new LineFile(path);
  }

  /** Notes a place, instead of the one that is known. */
  add(sha256: string, source: number, path: string): void {
    const value = 2 * this.lines.add(JSON.stringify([sha256, source, path] satisfies Line));
    const beginning = beginningOf(sha256);
    const slot = this.slotOf(sha256, beginning);
    if (this.values[slot] === -1) this.count += 1;
    this.put(slot, beginning, value);
    if (3 * this.count > 2 * this.values.length) this.grow();
  }

  has(sha256: string): boolean {
    return this.values[this.slotOf(sha256)] !== -1;
  }

  get(sha256: string): KnownContent | undefined {
    const value = this.values[this.slotOf(sha256)] ?? -1;
    if (value === -1) return undefined;
    const [, source, path] = this.lineOf(value);
    return { source, path };
  }

  /** Notes that a content that is known is used. False where it was before. */
  use(sha256: string): boolean {
    const slot = this.slotOf(sha256);
    const value = this.values[slot] ?? -1;
    if (value % 2 === 0) this.values[slot] = value + 1;
    return value % 2 === 0;
  }

  close(): void {
    this.lines.close();
  }

  /** Where in the table this content is, or would be. */
  private slotOf(sha256: string, beginning = beginningOf(sha256)): number {
    let slot = this.begin(beginning);
    for (; ; slot = (slot + 1) % this.values.length) {
      const value = this.values[slot] ?? -1;
      const isAlike = this.keys[2 * slot] === beginning[0] && this.keys[2 * slot + 1] === beginning[1];
      if (value === -1 || (isAlike && this.lineOf(value)[0] === sha256)) return slot;
    }
  }

  private begin([high, low]: Beginning): number {
    return ((Math.imul(high ^ this.salt, 0x9e3779b1) ^ Math.imul(low, this.salt)) >>> 0) % this.values.length;
  }

  private put(slot: number, [high, low]: Beginning, value: number): void {
    this.keys[2 * slot] = high;
    this.keys[2 * slot + 1] = low;
    this.values[slot] = value;
  }

  private lineOf(value: number): Line {
    return JSON.parse(this.lines.at(Math.floor(value / 2))) as Line;
  }

  private grow(): void {
    const { keys, values } = this;
    this.keys = new Uint32Array(2 * keys.length);
    this.values = new Float64Array(2 * values.length).fill(-1);
    for (const [at, value] of values.entries()) {
      if (value === -1) continue;
      const beginning: Beginning = [keys[2 * at] ?? 0, keys[2 * at + 1] ?? 0];
      let slot = this.begin(beginning);
      while (this.values[slot] !== -1) slot = (slot + 1) % this.values.length;
      this.put(slot, beginning, value);
    }
  }
}

/** The first 64 bits of a checksum. */
type Beginning = readonly [high: number, low: number];

function beginningOf(sha256: string): Beginning {
  return [Number.parseInt(sha256.slice(0, 8), 16), Number.parseInt(sha256.slice(8, 16), 16)];
}
