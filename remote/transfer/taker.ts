import { createHash, type Hash } from "node:crypto";
import { createReadStream } from "node:fs";
import { type FileHandle, open, rm, writeFile } from "node:fs/promises";
import type { Extract } from "tar-stream";
import type { RemoteEntry } from "./listing";
import type { Objects } from "./objects";
import { writeSparse } from "./sparse";

/** The instance sent something that was not asked for. Never retried. */
export class HostileStreamError extends Error {
  override readonly name = "HostileStreamError";
}

/** An entry of the tar: its content is to be read before the next one comes. */
type Entry = Extract extends AsyncIterable<infer Source> ? Source : never;

/** Content that was asked for, and how much of it is here. */
export interface Request {
  readonly entry: RemoteEntry;
  readonly offset: number;
}

const smallBytes = 256 * 1024;

const writesAtOnce = 16;

/** Takes the entries of the tar: each one asked for, each once, each of the size asked for. */
export class Taker {
  /** Entries that have not come yet. */
  left: number;
  private readonly taken = new Set<number>();
  private readonly writes = new Set<Promise<void>>();

  constructor(
    private readonly requests: readonly Request[],
    private readonly objects: Objects,
    private readonly received: (files: number, bytes: number) => void,
    private readonly progressed: () => void,
  ) {
    this.left = requests.length;
  }

  async take(item: Entry): Promise<void> {
    const { name, type, size } = item.header;
    const [, digits, gone] = /^(0|[1-9][0-9]{0,8})(\.gone)?$/.exec(name) ?? [];
    const number = Number(digits);
    const request = digits === undefined ? undefined : this.requests[number];
    if (request === undefined || type !== "file" || this.taken.has(number)) {
      throw new HostileStreamError(
        `The instance sent ${type ?? "something"} ${JSON.stringify(name.slice(0, 200))}, which was not asked for. The transfer was ended; nothing of it was used.`,
      );
    }
    this.taken.add(number);
    this.left--;
    const { entry, offset } = request;
    if (gone !== undefined && size === 0) {
      item.resume();
      return;
    }
    if (size !== entry.size - offset) {
      throw new HostileStreamError(
        `The instance sent ${size} bytes for ${entry.path}, ${entry.size - offset} were announced. The transfer was ended; nothing of it was used.`,
      );
    }
    if (offset === 0 && entry.size <= smallBytes) {
      await this.takeSmall(item, entry);
    } else {
      await this.took(entry, await this.takeBig(item, request));
    }
  }

  /** Resolves when everything taken is on the disk; rejects with the first failure of that. */
  async settled(): Promise<void> {
    await Promise.all(this.writes);
  }

  private async took(entry: RemoteEntry, right: boolean): Promise<void> {
    if (right) {
      await this.objects.complete(entry.sha256);
      this.progressed();
    } else {
      await rm(this.objects.partPath(entry.sha256), { force: true });
    }
    this.received(1, 0);
  }

  /** Writes go on while the next entry is read; their number is bounded. */
  private async takeSmall(item: Entry, entry: RemoteEntry): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of item) {
      chunks.push(chunk as Buffer);
    }
    const content = Buffer.concat(chunks);
    this.received(0, content.length);
    const right = createHash("sha256").update(content).digest("hex") === entry.sha256;
    const write = (async () => {
      if (right) {
        await writeFile(this.objects.partPath(entry.sha256), content, { mode: 0o600 });
      }
      await this.took(entry, right);
    })();
    this.writes.add(write);
    write.then(
      () => this.writes.delete(write),
      () => {},
    );
    if (this.writes.size >= writesAtOnce) {
      await Promise.race(this.writes);
    }
  }

  private async takeBig(item: Entry, { entry, offset }: Request): Promise<boolean> {
    const path = this.objects.partPath(entry.sha256);
    const hash: Hash = createHash("sha256");
    if (offset > 0) {
      for await (const chunk of createReadStream(path, { end: offset - 1 })) {
        hash.update(chunk as Buffer);
      }
    }
    const handle: FileHandle = await open(path, offset > 0 ? "r+" : "w", 0o600);
    try {
      let at = offset;
      for await (const chunk of item) {
        hash.update(chunk as Buffer);
        await writeSparse(handle, chunk as Buffer, at);
        at += (chunk as Buffer).length;
        this.received(0, (chunk as Buffer).length);
      }
      // What came last may have been zeros, which were not written.
      await handle.truncate(at);
    } finally {
      await handle.close();
    }
    return hash.digest("hex") === entry.sha256;
  }
}
