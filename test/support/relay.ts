import { type AddressInfo, connect, createServer, type Socket } from "node:net";

/** A TCP relay that can break what goes through it. */
export interface Relay {
  readonly port: number;
  /** Bytes carried from client to server and back, over all connections. */
  readonly sent: number;
  readonly received: number;
  /** Number of connections accepted so far. */
  readonly connections: number;
  /** Resets all connections; new ones are welcome. */
  cut(): void;
  /** From now on nothing is carried, and nobody is told: a half-open connection. */
  stall(): void;
  /** New connections are reset at once until `accept()`. */
  refuse(): void;
  /** Undoes `stall` (for new connections) and `refuse`. */
  accept(): void;
  /** Collects what the server sends and passes it on only every so often, all at once: packets arrive together. */
  batch(milliseconds: number): void;
  /** Cuts once when this many more bytes went the given way. */
  cutAfter(bytes: number, way?: "sent" | "received"): void;
  close(): Promise<void>;
}

/** Listens on a free port of 127.0.0.1 and carries to the given one. */
export async function startRelay(targetPort: number, targetHost = "127.0.0.1"): Promise<Relay> {
  const pairs = new Set<{ client: Socket; server: Socket }>();
  const count = { sent: 0, received: 0, connections: 0 };
  let cutAt: { way: "sent" | "received"; bytes: number } | undefined;
  let stalled = false;
  let refused = false;
  let batchMs = 0;

  const cut = (): void => {
    for (const { client, server } of pairs) {
      client.resetAndDestroy();
      server.resetAndDestroy();
    }
    pairs.clear();
  };
  const carry = (from: Socket, to: Socket, way: "sent" | "received"): void => {
    from.on("data", (chunk: Buffer) => {
      if (stalled) {
        return;
      }
      count[way] += chunk.length;
      if (batchMs > 0 && way === "received") {
        if (to.writableCorked === 0) {
          to.cork();
          setTimeout(() => to.uncork(), batchMs);
        }
        to.write(chunk);
      } else if (!to.write(chunk)) {
        from.pause();
      }
      if (cutAt !== undefined && cutAt.way === way && count[way] >= cutAt.bytes) {
        cutAt = undefined;
        cut();
      }
    });
    to.on("drain", () => from.resume());
    from.on("end", () => stalled || to.end());
    from.on("error", () => to.destroy());
    from.on("close", () => stalled || to.destroy());
  };
  const listener = createServer({ allowHalfOpen: true }, (client) => {
    count.connections++;
    if (refused) {
      client.on("error", () => {});
      client.resetAndDestroy();
      return;
    }
    const server = connect({ port: targetPort, host: targetHost, allowHalfOpen: true });
    const pair = { client, server };
    pairs.add(pair);
    client.on("close", () => pairs.delete(pair));
    carry(client, server, "sent");
    carry(server, client, "received");
  });
  await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
  return {
    port: (listener.address() as AddressInfo).port,
    get sent() {
      return count.sent;
    },
    get received() {
      return count.received;
    },
    get connections() {
      return count.connections;
    },
    cut,
    stall: () => {
      stalled = true;
    },
    refuse: () => {
      refused = true;
    },
    accept: () => {
      stalled = false;
      refused = false;
    },
    batch: (milliseconds) => {
      batchMs = milliseconds;
    },
    cutAfter: (bytes, way = "sent") => {
      cutAt = { way, bytes: count[way] + bytes };
    },
    close: () => {
      cut();
      return new Promise((resolve) => listener.close(() => resolve()));
    },
  };
}
