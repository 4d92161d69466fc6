import { createHash, type Hash, hash } from "node:crypto";
import { createReadStream } from "node:fs";
import { type FileHandle, open, rm } from "node:fs/promises";
import type { ManifestEntry } from "../../local/folder/manifest";
import { quoted } from "../../local/folder/manifest";
import { contentPiece, type Piece } from "./blocks";
import { HostileStreamError } from "./hostile";
import type { RemoteEntry } from "./listing";
import type { Objects } from "./objects";
import { writeSparse } from "./sparse";

/** Content that was asked for, and from where on. */
export interface Request extends Pick<RemoteEntry, "entry" | "key"> {
  readonly offset: number;
}

/** Kinds of pieces (`scripts/agent/results/sending.py`). */
const [sumPiece, gonePiece] = [2, 3];
/** Most requests at a time: the instance waits for answers to a few lists, and answers in their order. */
const mostRequests = 100_000;

/** Takes content as it comes: what was asked for, each once, of the size asked for. */
export class Taker {
  /** Files and bytes that came. */
  files = 0;
  bytes = 0;
  private readonly requests = new Map<number, Request>();
  /** Checksums and sizes of what is asked for. */
  private readonly awaited = new Set<string | number>();
  private current: Arrival | undefined;

  constructor(
    private readonly objects: Objects,
    /** Takes each entry whose content has all come, and whether it is as it was listed. */
    private readonly onDone: (entry: ManifestEntry, isRight: boolean) => void,
  ) {}

  /** How much has not come yet. */
  get left(): number {
    return this.requests.size;
  }

  expect(number: number, request: Request): void {
    this.requests.set(number, request);
    if (this.requests.size > mostRequests) throw hostile("lists, and nothing of what they list");
    const { sha256, size } = request.entry;
    this.awaited.add(size).add(sha256);
  }

  /** True where content with this checksum, or of this size, is on its way. */
  awaits(what: string | number): boolean {
    return this.awaited.has(what);
  }

  async take({ kind, number, content }: Piece): Promise<void> {
    const request = this.requests.get(number);
    if (request === undefined || (this.current !== undefined && this.current.request !== request)) {
      throw hostile(`content of number ${number}, which was not asked for`);
    }
    const { entry, offset } = request;
    if (kind === gonePiece) return this.gone(number, request);
    if (kind === sumPiece && this.current !== undefined && entry.sha256 === "" && content.length === 32) {
      entry.sha256 = content.toString("hex");
      return this.complete(number, this.current);
    }
    const arrived = this.current?.at ?? offset;
    // What brings nothing could come for ever.
    const isMore = content.length > 0 || entry.size === 0;
    if (kind !== contentPiece || !isMore || content.length > entry.size - arrived) {
      throw hostile(`something other than the ${entry.size} bytes of ${quoted(entry.path)}`);
    }
    this.bytes += content.length;
    if (content.length === entry.size && entry.sha256 !== "") {
      this.takeWhole(number, entry, content);
      return;
    }
    this.current ??= await Arrival.begin(request, this.objects.partOf(request));
    await this.current.add(content);
    if (this.current.at === entry.size && entry.sha256 !== "") await this.complete(number, this.current);
  }

  private takeWhole(number: number, entry: ManifestEntry, content: Buffer): void {
    const isRight = hash("sha256", content, "hex") === entry.sha256;
    if (isRight) this.objects.add(entry, content);
    this.done(number, entry, isRight);
  }

  private async complete(number: number, current: Arrival): Promise<void> {
    const { entry } = current.request;
    if (current.at !== entry.size) throw hostile(`${current.at} of the ${entry.size} bytes of ${quoted(entry.path)}`);
    this.current = undefined;
    const isRight = (await current.end()) === entry.sha256;
    if (isRight) this.objects.addFile(entry, current.part);
    else await rm(current.part, { force: true });
    this.done(number, entry, isRight);
  }

  private async gone(number: number, request: Request): Promise<void> {
    await this.close();
    await rm(this.objects.partOf(request), { force: true });
    this.done(number, request.entry, false);
  }

  private done(number: number, entry: ManifestEntry, isRight: boolean): void {
    this.requests.delete(number);
    this.awaited.delete(entry.sha256);
    this.files += 1;
    this.onDone(entry, isRight);
  }

  /** Closes what is under way. What has arrived of it stays. */
  async close(): Promise<void> {
    const { current } = this;
    this.current = undefined;
    await current?.end();
  }
}

/** A large file that arrives. */
class Arrival {
  private constructor(
    readonly request: Request,
    readonly part: string,
    private readonly handle: FileHandle,
    private readonly sum: Hash,
    /** Bytes that have arrived. */
    public at: number,
  ) {}

  static async begin(request: Request, part: string): Promise<Arrival> {
    const { offset } = request;
    const sum = createHash("sha256");
    if (offset > 0) {
      for await (const chunk of createReadStream(part, { end: offset - 1, highWaterMark: 1 << 20 })) {
        sum.update(chunk as Buffer);
      }
    }
    return new Arrival(request, part, await open(part, offset > 0 ? "r+" : "w", 0o600), sum, offset);
  }

  async add(content: Buffer): Promise<void> {
    const writing = writeSparse(this.handle, content, this.at);
    this.at += content.length;
    this.sum.update(content);
    await writing;
  }

  /** The checksum of all that has arrived. */
  async end(): Promise<string> {
    try {
      // What came last may have been zeros, which were not written.
      await this.handle.truncate(this.at);
    } finally {
      await this.handle.close();
    }
    return this.sum.digest("hex");
  }
}

function hostile(what: string): HostileStreamError {
  return new HostileStreamError(`The instance sent ${what}. The transfer was ended; nothing of it was used.`);
}
