import * as net from "node:net";
import { pipeline } from "node:stream";
import type { LinkFault, LinkTrouble } from "../faults/model";
import { Gate, type Judge } from "./gate";

export interface RelayOptions {
  /** Where connections come in. */
  readonly address: string;
  readonly port: number;
  /** Opens a connection to the instance's sshd for a caller. */
  readonly connect: (source: string) => Promise<net.Socket>;
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
  private readonly clients = new Set<net.Socket>();

  constructor(private readonly options: RelayOptions) {}

  /** Starts or stops listening, as asked for. Open connections stay. */
  setOpen(wanted: boolean): void {
    const open = wanted && !this.trouble("refuse");
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
    const clients = [...this.clients];
    for (const socket of clients) socket.resetAndDestroy();
    return clients.length;
  }

  /** Ends it all: no listening, no connections. */
  close(): void {
    this.setOpen(false);
    this.dropAll();
  }

  private accept(client: net.Socket): void {
    const source = (client.remoteAddress ?? "").replace(/^::ffff:/, "");
    this.clients.add(client);
    client.on("close", () => this.clients.delete(client));
    client.on("error", () => client.destroy());
    if (!this.options.admits(source)) {
      // Read and forget, so that the caller's leaving is noticed.
      client.on("end", () => client.destroy());
      client.resume();
      return;
    }
    this.options.connect(source).then(
      (machine) => this.join(client, machine),
      () => client.destroy(),
    );
  }

  private join(client: net.Socket, machine: net.Socket): void {
    if (client.destroyed) {
      machine.destroy();
      return;
    }
    client.setNoDelay(true);
    machine.setNoDelay(true);
    const judge = this.judge(() => {
      client.resetAndDestroy();
      machine.resetAndDestroy();
    });
    // What goes wrong on one side ends the other, below; there is nobody to tell.
    pipeline(client, new Gate(judge), machine, () => {});
    pipeline(machine, new Gate(judge), client, () => {});
    client.on("close", () => machine.destroy());
    machine.on("close", () => client.destroySoon());
  }

  /** What to do with each chunk of a connection, either way. Bytes are counted over both. */
  private judge(reset: () => void): Judge {
    let bytes = 0;
    return (size, isNew) => {
      if (this.trouble("stall")) return "stall";
      if (isNew) bytes += size;
      const drop = this.trouble("drop-after");
      if (drop && bytes > drop.trouble.bytes && drop.fault.fired < (drop.fault.times ?? Number.POSITIVE_INFINITY)) {
        drop.fault.fired += 1;
        reset();
        return "stall";
      }
      const throttle = this.trouble("throttle");
      return throttle ? (size / throttle.trouble.bytesPerSecond) * 1000 : 0;
    };
  }

  private trouble<K extends LinkTrouble["kind"]>(kind: K) {
    const fault = this.options.faults().find((one) => one.trouble.kind === kind);
    return fault && { fault, trouble: fault.trouble as Extract<LinkTrouble, { kind: K }> };
  }
}
