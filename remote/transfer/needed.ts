import { hasContent } from "../../local/folder/manifest";
import type { LocalTree } from "../../local/folder/walk";
import type { Content } from "./contents";

/** What the agent says of a manifest. */
export interface Need {
  /** A bit for each entry, in base64: set where its content is to come. */
  readonly need: string;
  /** How much that is. */
  readonly bytes: number;
  /** Numbers of entries whose content has come in part, and the bytes of that. */
  readonly begun: readonly (readonly [number: number, bytes: number])[];
}

/** The files of a tree that the agent needs. */
export class Needed {
  readonly bytes: number;
  private readonly bits: Buffer;
  private readonly begun: ReadonlyMap<number, number>;

  constructor(
    private readonly tree: LocalTree,
    { need, bytes, begun }: Need,
  ) {
    this.bytes = bytes;
    this.bits = Buffer.from(need, "base64");
    this.begun = new Map(begun);
  }

  /** Number of files. */
  get count(): number {
    let count = 0;
    for (let bits of this.bits) for (; bits !== 0; bits &= bits - 1) count += 1;
    return count;
  }

  /** Each call begins anew. */
  *contents(): Generator<Content> {
    let number = -1;
    for (const file of this.tree.entries()) {
      number += 1;
      if (number >= 8 * this.bits.length) return;
      // Whatever is asked for: only files are sent.
      if ((((this.bits[number >> 3] ?? 0) >> (number & 7)) & 1) === 0 || !hasContent(file)) continue;
      const offset = this.begun.get(number) ?? 0;
      if (!(Number.isSafeInteger(offset) && offset >= 0 && offset <= file.size)) {
        throw new Error(`The instance says that ${offset} bytes of ${file.path} have arrived, which has ${file.size}.`);
      }
      yield { file, offset };
    }
  }
}
