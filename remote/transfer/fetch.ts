import { statfs } from "node:fs/promises";
import { addAbortSignal } from "node:stream";
import { text } from "node:stream/consumers";
import { progressMeter } from "../../local/folder/progress";
import { showBytes } from "../../local/folder/surprise";
import { endedSoon, type SshSession, sshFailure } from "../session";
import { foreign, type Piece, piecesOf, unpacks } from "./blocks";
import { isBrokenStream } from "./broken";
import { fileCounter } from "./counter";
import { type OnLanes, startOnLanes } from "./lanes";
import { IncomingListing, type ListingEnd, type ListingOptions, type RemoteEntry } from "./listing";
import type { Objects } from "./objects";
import type { SortedEntries } from "./sorted-entries";
import { Taker } from "./taker";

interface FetchOptions extends ListingOptions {
  readonly count: (files: number, bytes: number) => void;
  readonly progressed: () => void;
}

/** Kinds of pieces (`scripts/agent/results/sending.py`); those of content are the taker's. */
const entriesPiece = 0;
const endPiece = 4;
const mostToldBytes = 256 << 20;

/**
 * Lists the results on the instance and fetches what of them is not here, in one conversation: lists come, and while the
 * next one is made, what is asked for comes as well. What has not the content of its listing (it is written to at this
 * moment) is missing.
 * @param entries takes all that is listed
 */
export async function fetchResults(
  session: SshSession,
  objects: Objects,
  entries: SortedEntries,
  options: FetchOptions,
): Promise<ListingEnd> {
  const { signal, remoteRoot } = options;
  signal?.throwIfAborted();
  options.onStatus?.("listing the results");
  const places = Object.entries({ "": remoteRoot, ...options.also }).map(([at, path]) => ({ at, path }));
  const { experiment, include = [], exclude = [] } = options.writtenBy ?? {};
  const written = experiment === undefined ? undefined : { experiment, keys: { include, exclude } };
  const document = { places, written, record: options.recordOf, unpacks };
  const remote = await startOnLanes(session, { verb: "send", document }, { way: "down", bytes: 0 });
  const said = text(remote.stderr).catch(() => "");
  const listing = new IncomingListing(options, session.access.host);
  const conversation = new Conversation(remote, objects, options, listing, entries);
  const stdout = signal === undefined ? remote.stdout : addAbortSignal(signal, remote.stdout);
  let broken: unknown;
  try {
    for await (const pieces of piecesOf(stdout)) await conversation.hear(pieces);
  } catch (error) {
    if (signal?.aborted === true || !isBrokenStream(error)) {
      remote.kill();
      throw signal?.aborted === true ? signal.reason : localReason(error, objects);
    }
    broken = error;
  } finally {
    await conversation.close();
  }
  signal?.throwIfAborted();
  remote.stdin.end();
  // Where the stream broke, how the command or the connection ended tells why.
  const exit = await endedSoon(remote);
  if (exit.code !== 0 || broken !== undefined) {
    throw sshFailure(session, exit.code, `Downloading ${remoteRoot}`, (await said) || String(broken ?? ""));
  }
  return conversation.result();
}

/** What is said between here and the instance. */
class Conversation {
  private readonly taker: Taker;
  private readonly listed: (files: number) => void;
  private readonly meter: (bytes: number) => void;
  private readonly told: Buffer[] = [];
  private toldBytes = 0;
  private found: ListingEnd | undefined;
  /** Files and bytes that are asked for, and the room that these take. */
  private wanted = { files: 0, bytes: 0, room: 0 };
  private free: number | undefined;
  private number = 0;

  constructor(
    private readonly remote: OnLanes,
    private readonly objects: Objects,
    private readonly options: FetchOptions,
    private readonly listing: IncomingListing,
    private readonly entries: SortedEntries,
  ) {
    this.taker = new Taker(objects, (entry, isRight) => {
      entries.add(entry, isRight ? "placed" : "missing");
      if (isRight) options.progressed();
    });
    this.listed = fileCounter(options.onStatus, "listing the results");
    this.meter = progressMeter(
      "downloading",
      () => this.wanted.bytes,
      (phase, detail) => {
        if (this.wanted.files > 0) options.onStatus?.(phase, detail);
      },
    );
  }

  async hear(pieces: Iterable<Piece>): Promise<void> {
    const { files, bytes } = this.taker;
    for (const piece of pieces) {
      if (this.found !== undefined)
        throw new Error("The instance went on after the end of its results; they are refused.");
      const isContent = piece.kind !== entriesPiece && piece.kind !== endPiece;
      // What tells nothing could come for ever.
      if (!isContent && piece.content.length === 0) throw foreign();
      if (isContent) await this.taker.take(piece);
      else if (piece.kind === endPiece) this.hearEnd(piece);
      else await this.answer(piece);
    }
    this.options.count(this.taker.files - files, this.taker.bytes - bytes);
    if (this.taker.bytes > bytes) this.meter(this.taker.bytes - bytes);
  }

  private hearEnd({ number, content }: Piece): void {
    this.told.push(Buffer.from(content));
    this.toldBytes += content.length;
    if (this.toldBytes > mostToldBytes)
      throw new Error(`The end of the results has over ${mostToldBytes} bytes; that is refused.`);
    if (number === 0) this.found = this.listing.end(Buffer.concat(this.told));
  }

  /** Asks for what is not here of a list. */
  private async answer({ content }: Piece): Promise<void> {
    const wanted: [number: number, offset: number][] = [];
    const entries = this.listing.read(content);
    for (const entry of entries) {
      const offset = this.wish(entry, this.number);
      if (offset !== undefined) wanted.push([this.number, offset]);
      this.number += 1;
    }
    if (this.wanted.files === 0) this.listed(entries.length);
    await this.checkSpace();
    this.remote.widen(this.wanted.bytes);
    this.remote.stdin.write(`${JSON.stringify(wanted)}\n`);
  }

  /** From where on to ask for an entry's content; -1 for its checksum, which may be one that is here. */
  private wish({ entry, key, held }: RemoteEntry, number: number): number | undefined {
    const { size, sha256 } = entry;
    const isKnown = sha256 !== "";
    const offset = key === undefined ? 0 : this.objects.begun({ entry, key });
    const mayBeHere = this.objects.hasSize(size) || this.taker.awaits(size);
    if (!isKnown && offset === 0 && mayBeHere) return -1;
    if (isKnown && (this.objects.has(entry) || this.taker.awaits(sha256))) {
      this.entries.add(entry, "elsewhere");
      return undefined;
    }
    this.taker.expect(number, { entry, key, offset });
    this.wanted.files += 1;
    this.wanted.bytes += size - offset;
    this.wanted.room += Math.max(0, (held ?? size) - offset);
    return offset;
  }

  private async checkSpace(): Promise<void> {
    if (this.free === undefined) {
      const { bavail, bsize } = await statfs(this.objects.root);
      this.free = bavail * bsize;
    }
    if (this.free < this.wanted.room) {
      throw new Error(
        `The results need ${showBytes(this.wanted.room)} more, but the disk of ${this.objects.root} has ${showBytes(this.free)} free. Make room, or set results.directory to another disk, and run the command again.`,
      );
    }
  }

  /** Ends what is under way; what has arrived of it stays. */
  close(): Promise<void> {
    return this.taker.close();
  }

  result(): ListingEnd {
    if (this.found === undefined || this.taker.left > 0) throw this.listing.early();
    return this.found;
  }
}

function localReason(error: unknown, { root }: Objects): unknown {
  const { code, message } = error as { code?: string; message: string };
  if (code === "ENOSPC" || code === "EDQUOT") {
    return new Error(
      `The disk of ${root} is full. What has arrived stays there. Make room and run the command again.`,
      { cause: error },
    );
  }
  const local = ["EACCES", "EROFS", "EIO", "EFBIG", "ENOTDIR", "ENAMETOOLONG"].includes(code ?? "");
  return local ? new Error(`Couldn't write the results to ${root}: ${message}`, { cause: error }) : error;
}
