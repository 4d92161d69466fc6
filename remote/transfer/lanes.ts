import { randomBytes } from "node:crypto";
import { Readable, Writable } from "node:stream";
import { type AgentCall, documentLine, ensureAgent, startAgent } from "../agent";
import { type RemoteProcess, SshSession } from "../session";
import { windowBytes } from "../ssh/window";

/** What a line is taken to carry, in bytes per second: 1 Gbit/s and half as much again. */
const lineBytes = 200e6;
const mostLanes = 8;
/** Below this many seconds on one connection more of them are not worth their logins. */
const worthSeconds = 2;
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

/**
 * Starts a verb as `startAgent` does, with one of its streams over as many connections as the length of the line asks for:
 * in pieces that are put together again in their order. Lanes that can't be had are done without.
 * @param bytes how much will go that way, about
 */
export async function startOnLanes(
  session: SshSession,
  call: AgentCall,
  { way, bytes }: { readonly way: Way; readonly bytes: number },
): Promise<RemoteProcess> {
  // Before the first command nothing is known of the line.
  await ensureAgent(session);
  const wanted = lanesFor(session.roundTripMs, bytes);
  const others = wanted === 1 ? [] : await connections(session, wanted - 1);
  if (others.length === 0) return startAgent(session, call);
  const close = (): void => {
    for (const other of others) other.close();
  };
  try {
    const name = randomBytes(16).toString("hex");
    const document = { name, way, count: others.length + 1, verb: call.verb };
    const [first, ...further] = await Promise.all([
      startAgent(session, { verb: "lanes", document }),
      ...others.map((other) => startAgent(other, { verb: "lane", document: { name, way } })),
    ]);
    const all = [first, ...further];
    for (const lane of further) {
      lane.stderr.resume();
      if (way === "up") lane.stdout.resume();
      lane.exit.then(({ code }) => code === 0 || first.kill(), first.kill);
    }
    if (way === "down") {
      first.exit.then(({ code }) => code === 0 || close(), close);
      first.stdin.write(documentLine(call));
      const stdout = joined(
        all.map((lane) => lane.stdout),
        close,
      );
      return { ...first, stdout: Readable.from(stdout, { highWaterMark: 2 }) };
    }
    const stdin = split(all.map((lane) => lane.stdin));
    // How the verb ends tells more than a stream that breaks.
    stdin.on("error", () => {});
    const end = (): void => {
      close();
      stdin.destroy();
    };
    first.exit.then(end, end);
    stdin.write(documentLine(call));
    return { ...first, stdin };
  } catch (error) {
    close();
    throw error;
  }
}

async function connections({ access }: SshSession, count: number): Promise<SshSession[]> {
  const tried = await Promise.allSettled(Array.from({ length: count }, () => SshSession.connect(access)));
  return tried.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
}

/** Hands out what is written in numbered pieces, each to a lane that is free for it. */
function split(lanes: readonly Writable[]): Writable {
  let next = 0;
  let at = 0;
  let freed = (): void => {};
  for (const lane of lanes) {
    lane.on("drain", () => freed());
    lane.on("close", () => freed());
  }
  const free = async (): Promise<Writable> => {
    for (;;) {
      for (let tries = 0; tries < lanes.length; tries++) {
        const lane = lanes[at++ % lanes.length];
        if (lane !== undefined && !lane.writableNeedDrain) return lane;
      }
      await new Promise<void>((resolve) => {
        freed = resolve;
      });
    }
  };
  return new Writable({
    highWaterMark: pieceBytes,
    async write(chunk: Buffer, _encoding, done) {
      try {
        for (let from = 0; from < chunk.length; from += pieceBytes) {
          const piece = chunk.subarray(from, from + pieceBytes);
          const lane = await free();
          lane.write(headOf(next++, piece.length));
          lane.write(piece);
        }
        done();
      } catch (error) {
        done(error as Error);
      }
    },
    final(done) {
      for (const lane of lanes) lane.end(headOf(next, 0));
      done();
    },
  });
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

/**
 * What the lanes carry, in order. Fails where a lane ends early, or sends what cannot be its next piece.
 * @param done is called at the end, whatever it is
 */
export async function* joined(lanes: readonly Readable[], done: () => void): AsyncGenerator<Buffer> {
  try {
    yield* inOrder(lanes);
  } finally {
    done();
  }
}

async function* inOrder(lanes: readonly Readable[]): AsyncGenerator<Buffer> {
  type Head = { readonly lane: AsyncGenerator<Piece>; readonly piece: Piece };
  const advance = async (lane: AsyncGenerator<Piece>): Promise<Head> => {
    const { value } = await lane.next();
    return { lane, piece: value as Piece };
  };
  const waiting = new Map(lanes.map(piecesOf).map((lane) => [lane, advance(lane)]));
  const come = new Map<number, Head>();
  let total: number | undefined;
  for (let next = 0; next !== total || waiting.size > 0; ) {
    const head = come.get(next);
    if (head !== undefined) {
      come.delete(next++);
      yield head.piece.bytes;
      waiting.set(head.lane, advance(head.lane));
      continue;
    }
    if (waiting.size === 0) throw new Error("The instance left out a piece of its stream.");
    const { lane, piece } = await Promise.race(waiting.values());
    waiting.delete(lane);
    if (piece.bytes.length === 0) {
      total ??= piece.number;
      if (piece.number !== total) throw new Error("The instance's lanes end differently.");
      // A channel that isn't read to its end doesn't close.
      lane.next().catch(() => {});
    } else if (piece.number < next || come.has(piece.number)) {
      throw new Error("The instance sent a piece of its stream twice.");
    } else {
      come.set(piece.number, { lane, piece });
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
  for await (const chunk of stream as AsyncIterable<Buffer>) {
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
  if (!ended) throw new Error("premature close of a lane");
}
