import { createHash } from "node:crypto";
import { createGzip } from "node:zlib";
import { Breaks } from "../../local/folder/breaks";
import type { ManifestEntry } from "../../local/folder/manifest";
import { through } from "./compression";

const longest = 1024;
const textBytes = 1 << 18;
/** How much is prepared while it is not known yet what the agent has: some 200,000 files. */
const mostPrepared = 32 << 20;

/** Lines that follow each other, and what tells them. */
interface Block {
  readonly text: string;
  readonly digest: string;
}

/** The blocks of a manifest, by which both sides find what they have in common. To be gone through once. */
export class ManifestBlocks {
  private readonly prepared: Block[] = [];
  private readonly rest: Generator<string>;

  constructor(entries: Iterable<ManifestEntry>) {
    this.rest = blocksOf(entries);
  }

  /** Makes some of them while something else is waited for, and gives that. */
  async prepareDuring<T>(other: Promise<T>): Promise<T> {
    let isDone = false;
    const end = (): void => {
      isDone = true;
    };
    other.then(end, end);
    const breaks = new Breaks();
    for (let length = 0; !isDone && length < mostPrepared; ) {
      const { value } = this.rest.next();
      if (value === undefined) break;
      this.prepared.push(blockOf(value));
      length += value.length;
      await breaks.take();
    }
    return await other;
  }

  *[Symbol.iterator](): Generator<Block> {
    for (let block = this.prepared.shift(); block !== undefined; block = this.prepared.shift()) yield block;
    for (const text of this.rest) yield blockOf(text);
  }
}

function blockOf(text: string): Block {
  return { text, digest: createHash("sha256").update(text).digest("hex") };
}

/**
 * A manifest as the agent reads it: gzip in pieces, each behind its length in four bytes, the last one empty. A block of
 * lines that the agent knows is told by its digest alone.
 * @param known Digests of the blocks that the agent has, hexadecimal.
 */
export async function* packedManifest(blocks: Iterable<Block>, known: ReadonlySet<string>): AsyncGenerator<Buffer> {
  const gzip = createGzip({ level: 1, chunkSize: textBytes });
  for await (const piece of through(textOf(blocks, known), gzip)) yield* [lengthOf(piece.length), piece];
  yield lengthOf(0);
}

function lengthOf(bytes: number): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes);
  return length;
}

/** Many lines at a time: as one text they may be longer than a text can be. */
function* textOf(blocks: Iterable<Block>, known: ReadonlySet<string>): Generator<string> {
  let text = "";
  for (const block of blocks) {
    text += known.has(block.digest) ? `"${block.digest}"\n` : block.text;
    if (text.length > textBytes) {
      yield text;
      text = "";
    }
  }
  yield text;
}

/** Lines, cut where the agent cuts its records too (`scripts/agent/upload/entries.py`). */
function* blocksOf(entries: Iterable<ManifestEntry>): Generator<string> {
  let block = "";
  let lines = 0;
  for (const { path, size, sha256, executable, link, folder } of entries) {
    block += `${JSON.stringify({ path, size, sha256, executable, link, folder })}\n`;
    lines += 1;
    if (lines === longest || sha256.startsWith("00")) {
      yield block;
      block = "";
      lines = 0;
    }
  }
  yield block;
}
