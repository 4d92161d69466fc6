import { createHash } from "node:crypto";
import { createGzip } from "node:zlib";
import type { ManifestEntry } from "../../local/folder/manifest";
import { through } from "./compression";

const longest = 1024;
const textBytes = 1 << 18;

/**
 * A manifest as the agent reads it: gzip in pieces, each behind its length in four bytes, the last one empty. A block of
 * lines that the agent knows is told by its digest alone.
 * @param known Digests of the blocks that the agent has, hexadecimal.
 */
export async function* packedManifest(
  entries: Iterable<ManifestEntry>,
  known: ReadonlySet<string>,
): AsyncGenerator<Buffer> {
  const gzip = createGzip({ level: 1, chunkSize: textBytes });
  for await (const piece of through(textOf(entries, known), gzip)) yield* [lengthOf(piece.length), piece];
  yield lengthOf(0);
}

function lengthOf(bytes: number): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes);
  return length;
}

/** Many lines at a time: as one text they may be longer than a text can be. */
function* textOf(entries: Iterable<ManifestEntry>, known: ReadonlySet<string>): Generator<string> {
  let text = "";
  for (const block of blocksOf(entries)) {
    const digest = known.size === 0 ? "" : createHash("sha256").update(block).digest("hex");
    text += known.has(digest) ? `"${digest}"\n` : block;
    if (text.length > textBytes) {
      yield text;
      text = "";
    }
  }
  yield text;
}

/** Lines that follow each other, cut where the agent cuts its records too (`scripts/agent/upload/entries.py`). */
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
