import { randomBytes } from "node:crypto";
import { Readable, Writable } from "node:stream";
import { atMost } from "../../local/at-most";
import { type AgentCall, documentLine, startAgent } from "../agent";
import { type RemoteProcess, SshSession } from "../session";
import { windowBytes } from "../ssh/window";

/** What a line is taken to carry, in bytes per second: 1 Gbit/s and half as much again. */
const lineBytes = 200e6;
const mostLanes = 8;
/** Below this many seconds on one connection more of them are not worth their logins. */
const worthSeconds = 2;
/** A server of usual settings turns some away where ten have not logged in yet, and two transfers may begin at once. */
const loginsAtOnce = 4;
const headBytes = 8;
const pieceBytes = 256 * 1024;
const longestPiece = 1 << 20;

/** Which stream of a verb goes over lanes: `up` its standard input, `down` its output. */
export type Way = "up" | "down";

/** How many connections carry this many bytes fastest: each carries a window for each round trip. */
export function lanesFor(roundTripMs: number, bytes: number): number {
  const rounds = bytes / windowBytes;
  if (!Number.isFinite(roundTripMs) || (rounds * roundTripMs) / 1000 < worthSeconds) return 1;
  return Math.min(mostLanes, Math.ceil(((roundTripMs / 1000) * lineBytes) / windowBytes));
}

/** A verb whose stream more connections may carry. */
export interface OnLanes extends RemoteProcess {
  /** Lets as many connections carry it as so many bytes, about, pay for. They join in as they come. */
  readonly widen: (bytes: number) => void;
}

/**
 * Starts a verb as `startAgent` does. On a long line one of its streams goes in pieces, which further connections help to
 * carry as soon as they are there; they are put together again in their order. Connections that can't be had are done without.
 * @param bytes how much will go that way, about, as far as that is known
 */
export async function startOnLanes(
  session: SshSession,
  call: AgentCall,
  { way, bytes }: { readonly way: Way; readonly bytes: number },
): Promise<OnLanes> {
  if (lanesFor(session.roundTripMs, Number.POSITIVE_INFINITY) === 1) {
    return { ...(await startAgent(session, call)), widen: () => {} };
  }
  const name = randomBytes(16).toString("hex");
  const lanes = way === "up" ? new Splitting() : new Joining();
  const others = new Others(session, { name, way }, (lane) => lanes.add(lane));
  const { widen, close } = others;
  // Their logins take longer than the start of the verb.
  widen(bytes);
  const first = await startAgent(session, { verb: "lanes", document: { name, way, verb: call.verb } }).catch(
    (error) => {
      close();
      throw error;
    },
  );
  others.broken.then(first.kill);
  lanes.add(Promise.resolve(first));
  if (lanes instanceof Joining) {
    first.exit.then(close, close);
    first.stdin.write(documentLine(call));
    return { ...first, stdout: Readable.from(lanes.pieces(close), { highWaterMark: 2 }), widen };
  }
  // How the verb ends tells more than a stream that breaks.
  lanes.on("error", () => {});
  const end = (): void => {
    close();
    lanes.destroy();
  };
  first.exit.then(end, end);
  lanes.write(documentLine(call));
  return { ...first, stdin: lanes, widen };
}

/** The connections beside the first. */
class Others {
  /** Resolves when one ends that may have been given something to carry. */
  readonly broken: Promise<void>;
  private breaks = (): void => {};
  private readonly sessions: SshSession[] = [];
  private readonly over = new AbortController();
  private readonly inTurn = atMost(loginsAtOnce);
  private asked = 0;

  /** @param onLane is given each as it is opened, which may fail */
  constructor(
    private readonly first: SshSession,
    private readonly document: { readonly name: string; readonly way: Way },
    private readonly onLane: (lane: Promise<RemoteProcess>) => void,
  ) {
    this.broken = new Promise((resolve) => {
      this.breaks = resolve;
    });
  }

  readonly widen = (bytes: number): void => {
    const wanted = lanesFor(this.first.roundTripMs, bytes) - 1;
    for (; this.asked < wanted; this.asked++) this.onLane(this.open());
  };

  readonly close = (): void => {
    this.over.abort();
    for (const session of this.sessions) session.close();
  };

  private async open(): Promise<RemoteProcess> {
    const { signal } = this.over;
    const session = await this.inTurn(() => SshSession.connect(this.first.access, { signal }));
    this.sessions.push(session);
    if (signal.aborted) session.close();
    const lane = await startAgent(session, { verb: "lane", document: this.document });
    lane.stderr.resume();
    if (this.document.way === "up") lane.stdout.resume();
    lane.exit.then(
      ({ code }) => code === 0 || signal.aborted || this.breaks(),
      () => signal.aborted || this.breaks(),
    );
    return lane;
  }
}

/** Hands out what is written in numbered pieces, each to a lane that is free for it. */
class Splitting extends Writable {
  private readonly lanes: Writable[] = [];
  private next = 0;
  private at = 0;
  private isEnded = false;
  private freed = (): void => {};

  constructor() {
    super({ highWaterMark: pieceBytes });
  }

  /** One that can't be had is done without. */
  add(lane: Promise<RemoteProcess>): void {
    lane.then(
      ({ stdin }) => this.use(stdin),
      () => {},
    );
  }

  private use(lane: Writable): void {
    const freed = (): void => this.freed();
    lane.on("drain", freed).on("close", freed);
    this.lanes.push(lane);
    if (this.isEnded) lane.end(headOf(this.next, 0));
    else freed();
  }

  override async _write(chunk: Buffer, _encoding: string, done: (error?: Error) => void): Promise<void> {
    try {
      for (let from = 0; from < chunk.length; from += pieceBytes) {
        const piece = chunk.subarray(from, from + pieceBytes);
        const lane = await this.free();
        lane.write(headOf(this.next++, piece.length));
        lane.write(piece);
      }
      done();
    } catch (error) {
      done(error as Error);
    }
  }

  override _final(done: () => void): void {
    this.isEnded = true;
    for (const lane of this.lanes) lane.end(headOf(this.next, 0));
    done();
  }

  private async free(): Promise<Writable> {
    for (;;) {
      for (let tries = 0; tries < this.lanes.length; tries++) {
        const lane = this.lanes[this.at++ % this.lanes.length];
        if (lane !== undefined && !lane.writableNeedDrain) return lane;
      }
      await new Promise<void>((resolve) => {
        this.freed = resolve;
      });
    }
  }
}

function headOf(number: number, length: number): Buffer {
  const head = Buffer.alloc(headBytes);
  head.writeUInt32BE(number, 0);
  head.writeUInt32BE(length, 4);
  return head;
}

/** A piece that has come, or the end of a lane: then without bytes, and numbered by how many pieces there are. */
interface Piece {
  readonly number: number;
  readonly bytes: Buffer;
}

/** What lanes carry, put together in order. */
export class Joining {
  private readonly come = new Map<number, { readonly lane: AsyncGenerator<Piece>; readonly piece: Piece }>();
  private next = 0;
  private total: number | undefined;
  private running = 0;
  private broken: Error | undefined;
  private wake = (): void => {};

  /** One that can't be had is done without. */
  add(lane: Promise<Pick<RemoteProcess, "stdout">>): void {
    this.count(lane.then(({ stdout }) => this.advance(piecesOf(stdout))));
  }

  /**
   * Fails where a lane ends early, or sends what cannot be its next piece.
   * @param done is called at the end, whatever it is
   */
  async *pieces(done: () => void): AsyncGenerator<Buffer> {
    try {
      while (this.next !== this.total) {
        const head = this.come.get(this.next);
        if (head !== undefined) {
          this.come.delete(this.next++);
          yield head.piece.bytes;
          this.advance(head.lane);
          continue;
        }
        if (this.broken !== undefined) throw this.broken;
        if (this.running === 0) throw new Error("The instance left out a piece of its stream.");
        await new Promise<void>((resolve) => {
          this.wake = resolve;
        });
      }
    } finally {
      done();
    }
  }

  private advance(lane: AsyncGenerator<Piece>): void {
    this.count(
      lane
        .next()
        .then(({ value, done }) => {
          if (done !== true) this.take(lane, value);
        })
        .catch((error: Error) => {
          this.broken ??= error;
        }),
    );
  }

  /** Until it is settled, a piece that is missed may still come. */
  private count(coming: Promise<void>): void {
    this.running += 1;
    const settled = (): void => {
      this.running -= 1;
      this.wake();
    };
    coming.then(settled, settled);
  }

  private take(lane: AsyncGenerator<Piece>, piece: Piece): void {
    const { number, bytes } = piece;
    if (bytes.length === 0) {
      this.total ??= number;
      if (number !== this.total) throw new Error("The instance's lanes end differently.");
      // A channel that isn't read to its end doesn't close.
      this.advance(lane);
    } else if (number < this.next || this.come.has(number)) {
      throw new Error("The instance sent a piece of its stream twice.");
    } else {
      this.come.set(number, { lane, piece });
    }
  }
}

/** The pieces of one lane, the end as the last one. */
async function* piecesOf(stream: Readable): AsyncGenerator<Piece> {
  let held: Buffer[] = [];
  let length = 0;
  let need = headBytes;
  let head: Buffer | undefined;
  let ended = false;
  let hasBegun = false;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    hasBegun = true;
    held.push(chunk);
    length += chunk.length;
    while (length >= need) {
      const all = held.length === 1 ? (held[0] as Buffer) : Buffer.concat(held);
      const part = all.subarray(0, need);
      held = [all.subarray(need)];
      length -= need;
      const size: number = head === undefined ? part.readUInt32BE(4) : 0;
      if (size > longestPiece) throw new Error(`The instance sent a piece of ${size} bytes.`);
      if (head === undefined && size > 0) {
        head = part;
        need = size;
        continue;
      }
      ended = head === undefined;
      yield { number: (head ?? part).readUInt32BE(0), bytes: ended ? Buffer.alloc(0) : part };
      head = undefined;
      need = headBytes;
    }
  }
  // One that joins in when all has been sent carries nothing.
  if (hasBegun && !ended) throw new Error("premature close of a lane");
}
