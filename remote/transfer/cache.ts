import type { TransferOptions } from "./retry";
import type { Talk } from "./talk";

/** A folder on a file system that several machines share: `root`, and what the others call this machine. */
export interface IntoCache {
  readonly root: string;
  readonly by: string;
}

/** What the agent says of a cache before its answer. */
interface Aside {
  /** Who fills it. */
  readonly waiting?: string;
  /** How many files of it are not as they were. */
  readonly damaged?: number;
}

/** The first answer of a verb, which may have to wait for another machine that fills the same cache. */
export async function hearFirst<T>(talk: Talk, what: string, options: TransferOptions): Promise<T> {
  const { onStatus, onProgress } = options;
  let told: string | undefined;
  for (;;) {
    const word = await talk.hear<T & Aside>(what);
    const { waiting, damaged } = word;
    if (waiting === undefined && damaged === undefined) return word;
    if (damaged !== undefined)
      onProgress?.(`${damaged} files in the cache are damaged or missing: they are sent again`);
    if (waiting === undefined) continue;
    onStatus?.(`waiting for ${waiting} to fill the cache`);
    if (waiting !== told) onProgress?.(`waiting for ${waiting} to fill the cache`);
    told = waiting;
  }
}
