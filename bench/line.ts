import { type AddressInfo, connect, createServer, type Socket } from "node:net";

/** A long line: what goes through it arrives later, and no faster than it carries. */
export interface Line {
  readonly port: number;
  close(): Promise<void>;
}

/** How long and how wide a line is. */
export interface LineOptions {
  readonly roundTripMs: number;
  /** Bytes per second each way, for all connections together. */
  readonly bytesPerSecond: number;
}

/** A relay on a free port of 127.0.0.1 that holds and paces the bytes, since not every kernel can (netem). */
export async function startLine(targetPort: number, options: LineOptions, targetHost = "127.0.0.1"): Promise<Line> {
  const sockets = new Set<Socket>();
  const up = new Pace(options);
  const down = new Pace(options);
  const listener = createServer({ allowHalfOpen: true }, (near) => {
    const far = connect({ port: targetPort, host: targetHost, allowHalfOpen: true });
    carry(near, far, up);
    carry(far, near, down);
    for (const socket of [near, far]) {
      socket.setNoDelay(true);
      sockets.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => {
        sockets.delete(socket);
        near.destroy();
        far.destroy();
      });
    }
  });
  await new Promise<void>((resolve, reject) => {
    listener.once("error", reject);
    listener.listen(0, "127.0.0.1", resolve);
  });
  return {
    port: (listener.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        listener.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

/** When what is sent now has arrived: after all that was sent before it, and as long as the way is. */
class Pace {
  private free = 0;

  constructor(private readonly options: LineOptions) {}

  arrival(bytes: number): number {
    const { roundTripMs, bytesPerSecond } = this.options;
    this.free = Math.max(this.free, performance.now()) + (bytes / bytesPerSecond) * 1000;
    return this.free + roundTripMs / 2;
  }

  /** Bytes that are on the line where it is full. */
  get holds(): number {
    return (this.options.bytesPerSecond * this.options.roundTripMs) / 2000;
  }
}

/** Bytes beyond a full line that a router holds back. */
const routerBytes = 1 << 20;

function carry(from: Socket, to: Socket, pace: Pace): void {
  const held: { readonly at: number; readonly chunk: Buffer | undefined }[] = [];
  let bytes = 0;
  let timer: NodeJS.Timeout | undefined;
  const deliver = (): void => {
    timer = undefined;
    for (let first = held[0]; first !== undefined && first.at <= performance.now(); first = held[0]) {
      if (to.writableNeedDrain) return;
      held.shift();
      if (first.chunk === undefined) {
        to.end();
        continue;
      }
      bytes -= first.chunk.length;
      to.write(first.chunk);
    }
    if (bytes <= pace.holds + routerBytes) from.resume();
    const next = held[0];
    if (next !== undefined) timer = setTimeout(deliver, Math.max(0, next.at - performance.now()));
  };
  const hold = (chunk: Buffer | undefined): void => {
    held.push({ at: pace.arrival(chunk?.length ?? 0), chunk });
    bytes += chunk?.length ?? 0;
    if (bytes > pace.holds + routerBytes) from.pause();
    if (timer === undefined && !to.writableNeedDrain) deliver();
  };
  from.on("data", hold);
  from.on("end", () => hold(undefined));
  to.on("drain", () => timer === undefined && deliver());
  to.on("close", () => clearTimeout(timer));
}
