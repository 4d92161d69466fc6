import { normalizePaths } from "../../local/folder/manifest";
import { progressMeter } from "../../local/folder/progress";
import type { LocalTree } from "../../local/folder/walk";
import type { SshSession } from "../session";
import type { SshAccess } from "../types";
import { hearFirst, type IntoCache } from "./cache";
import { packed, packerFor } from "./compression";
import { contentsOf } from "./contents";
import { hearPastGiver } from "./giver";
import { ManifestBlocks, packedManifest } from "./manifest-lines";
import { type Need, Needed } from "./needed";
import { type Attempt, onTarget, type TransferOptions } from "./retry";
import { Talk } from "./talk";

/** What to upload, and where to. */
export interface UploadTreeOptions extends TransferOptions {
  readonly tree: LocalTree;
  /** Folder on the instance, relative to the home folder or absolute. */
  readonly remoteRoot: string;
  /** Name under which the instance remembers what this upload put. One name, one folder. */
  readonly name: string;
  /** The root is a cache, which all machines read. */
  readonly cache?: IntoCache;
  /** Machine of the fleet that has it, and passes it on. */
  readonly giver?: string;
  /** Paths below the root that are never removed. */
  readonly protectedPaths?: readonly string[];
}

/** What an upload did. */
export interface Uploaded {
  readonly sentFiles: number;
  /** Bytes of content, before compression. */
  readonly sentBytes: number;
  /** Files removed on the instance. */
  readonly removed: number;
  readonly seconds: number;
}

export { uploadArchive } from "./archive";

/**
 * Makes a folder on the instance hold exactly these files, besides those that others put there. Sends what is not there
 * yet as one stream into a staging folder; only when all of it has arrived and every checksum is right does it go into
 * place. With an access instead of a session a lost connection is made again, and what had arrived stays.
 */
export async function uploadTree(target: SshSession | SshAccess, options: UploadTreeOptions): Promise<Uploaded> {
  const started = Date.now();
  const sent = { files: 0, bytes: 0, fewestNeeded: Number.POSITIVE_INFINITY };
  const removed = await onTarget(target, (session, attempt) => synchronize(session, options, sent, attempt), options);
  return { sentFiles: sent.files, sentBytes: sent.bytes, removed, seconds: (Date.now() - started) / 1000 };
}

/** What one try has sent. */
interface Sent {
  files: number;
  bytes: number;
  fewestNeeded: number;
}

/** What the agent says first. */
interface Seen {
  readonly same: boolean;
  /** Digests of blocks of lines that it knows. */
  readonly blocks: readonly string[];
  readonly packers: readonly string[];
}

/** What the agent says at the end. Where some content is bad, nothing is in place. */
interface Applied {
  readonly removed: number;
  readonly bad: number;
  readonly first?: string;
}

async function synchronize(
  session: SshSession,
  options: UploadTreeOptions,
  sent: Sent,
  attempt: Attempt,
): Promise<number> {
  for (let round = 1; ; round++) {
    // Content that it passes on is checked there, but not what it has begun.
    const giver = round === 1 ? options.giver : undefined;
    const applied = await applyOnce(session, { ...options, giver }, sent, attempt);
    if (applied.bad === 0) {
      return applied.removed;
    }
    if (round === 3) {
      throw new Error(
        `${applied.bad} files did not arrive as they were when the upload began, ${applied.first} among them. ` +
          "Most likely a program is writing to them. Stop it and run the command again.",
      );
    }
  }
}

async function applyOnce(
  session: SshSession,
  options: UploadTreeOptions,
  sent: Sent,
  attempt: Attempt,
): Promise<Applied> {
  const { tree, remoteRoot, name, cache, giver, signal, onStatus } = options;
  const { hash } = tree;
  const call =
    cache === undefined
      ? {
          verb: "upload-apply",
          document: { name, root: remoteRoot, hash, protected: normalizePaths(options.protectedPaths ?? []), giver },
        }
      : { verb: "cache-tree", document: { ...cache, hash } };
  // All of it may be needed, and further logins take as long as the comparison.
  const talk = await Talk.start(session, call, tree.bytes, signal);
  try {
    onStatus?.("comparing", `${tree.count} files`);
    const blocks = new ManifestBlocks(tree.entries());
    const seen = await blocks.prepareDuring(hearFirst<Seen>(talk, `Comparing ${remoteRoot}`, options));
    if (seen.same) return { removed: 0, bad: 0 };
    const planning = `Planning the upload to ${remoteRoot}`;
    await talk.send(packedManifest(blocks, new Set(seen.blocks)), planning);
    const needed = new Needed(tree, await hearPastGiver<Need>(talk, planning, options));
    // What a lost try has left counts, or a line that drops now and then would use up all tries. Less than ever, not than
    // at the last plan: content that goes bad again and again is no progress.
    if (needed.bytes < sent.fewestNeeded) {
      sent.fewestNeeded = needed.bytes;
      attempt.progressed();
    }
    const packer = await packerFor(tree.root, needed, seen.packers);
    const meter = progressMeter("sending", needed.bytes, onStatus);
    const contents = contentsOf(tree.root, needed.contents(), meter);
    const receiving = "Receiving the upload";
    await talk.send(packed(contents, packer), receiving, { last: true });
    await talk.hear<{ arrived: true }>(receiving);
    onStatus?.("putting it into place");
    const applied = await talk.hear<Applied>(`Putting the upload to ${remoteRoot} into place`);
    attempt.progressed();
    sent.files += needed.count;
    sent.bytes += needed.bytes;
    return applied;
  } finally {
    talk.close();
  }
}
