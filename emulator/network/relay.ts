import * as net from "node:net";
import { pipeline, Transform, type TransformCallback } from "node:stream";
import type { LinkFault, LinkTrouble } from "../faults/model";

export interface RelayOptions {
  /** Where connections come in. */
  readonly address: string;
  readonly port: number;
  /** Port on the same address where they go. */
  readonly targetPort: number;
  /** Whether the firewall lets this source address in. */
  readonly admits: (source: string) => boolean;
  /** The faults on this instance's connections, asked for at each chunk: they take hold at once. */
  readonly faults: () => readonly LinkFault[];
}

/**
 * The way to an instance's sshd: a TCP relay that applies the firewall and the faults of the link. What the firewall
 * drops is accepted and never answered, which is the nearest to a dropped packet without privileges.
 */
export class Relay {
  private server: net.Server | undefined;
  private readonly sockets = new Set<net.Socket>();

  constructor(private readonly options: RelayOptions) {}

  /** Starts or stops listening, as asked for. Open connections stay. */
  setOpen(wanted: boolean): void {
    const open = wanted && !this.has("refuse");
    if (open && !this.server) {
      const server = net.createServer({ allowHalfOpen: true, pauseOnConnect: true }, (client) => this.accept(client));
      // Another process may hold the port; the next tick tries again.
      server.on("error", () => {
        if (this.server === server) this.server = undefined;
      });
      server.listen({ host: this.options.address, port: this.options.port, exclusive: true });
      this.server = server;
    } else if (!open && this.server) {
      this.server.close();
      this.server = undefined;
    }
  }

  /** Resets every open connection. Returns how many there were. */
  dropAll(): number {
    const clients = [...this.sockets];
    for (const socket of clients) socket.resetAndDestroy();
    return clients.length;
  }

  /** Ends it all: no listening, no connections. */
  close(): void {
    this.setOpen(false);
    this.dropAll();
  }

  private has<K extends LinkTrouble["kind"]>(kind: K): (LinkFault & { trouble: { kind: K } }) | undefined {
    return this.options.faults().find((fault) => fault.trouble.kind === kind) as never;
  }

  private accept(client: net.Socket): void {
    const source = (client.remoteAddress ?? "").replace(/^::ffff:/, "");
    this.track(client);
    client.on("error", () => client.destroy());
    if (!this.options.admits(source)) {
      // Read and forget, so that the caller's leaving is noticed.
      client.on("end", () => client.destroy());
      client.resume();
      return;
    }
    // The instance sees the caller's own address.
    const { address, targetPort } = this.options;
    const machine = net.connect({ host: address, port: targetPort, localAddress: source, allowHalfOpen: true });
    this.track(machine);
    client.setNoDelay(true);
    machine.setNoDelay(true);
    const connection = { bytes: 0 };
    const reset = () => {
      client.resetAndDestroy();
      machine.resetAndDestroy();
    };
    const one = pipeline(client, new Gate(this, connection, reset), machine, settle);
    const other = pipeline(machine, new Gate(this, connection, reset), client, settle);
    for (const stream of [one, other]) stream.on("error", () => {});
    client.on("close", () => machine.destroy());
    machine.on("close", () => client.destroySoon());
  }

  private track(socket: net.Socket): void {
    this.sockets.add(socket);
    socket.on("close", () => this.sockets.delete(socket));
  }

  /** Milliseconds that a chunk waits, 0 for none, or `stall`; resets the connection where a fault says so. */
  judge(connection: { bytes: number }, size: number): number | "stall" | "reset" {
    if (this.has("stall")) return "stall";
    connection.bytes += size;
    const drop = this.has("drop-after");
    if (drop && connection.bytes > drop.trouble.bytes && drop.fired < (drop.times ?? Number.POSITIVE_INFINITY)) {
      drop.fired += 1;
      return "reset";
    }
    const throttle = this.has("throttle");
    return throttle ? (size / throttle.trouble.bytesPerSecond) * 1000 : 0;
  }
}

const settle = () => {};

/** How often a stalled connection looks whether it may go on. */
const stallPollMs = 50;

/** One direction of a connection. */
class Gate extends Transform {
  constructor(
    private readonly relay: Relay,
    private readonly connection: { bytes: number },
    private readonly reset: () => void,
  ) {
    super();
  }

  override _transform(chunk: Buffer, encoding: BufferEncoding, done: TransformCallback): void {
    const verdict = this.relay.judge(this.connection, chunk.length);
    if (verdict === 0) done(null, chunk);
    else if (verdict === "reset") this.reset();
    else if (verdict === "stall") this.later(stallPollMs, () => this._transform(chunk, encoding, done));
    else this.later(verdict, () => done(null, chunk));
  }

  private later(ms: number, action: () => void): void {
    setTimeout(() => {
      if (!this.destroyed) action();
    }, ms).unref();
  }
}
