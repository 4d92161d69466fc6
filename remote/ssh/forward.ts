import { type AddressInfo, createServer, type Socket } from "node:net";
import type { Client } from "ssh2";

/** A local port that leads to a port on the instance. */
export interface Forward {
  /** Local port on 127.0.0.1. */
  readonly port: number;
  /** Stops listening and ends the connections that go through it. */
  close(): Promise<void>;
}

/** Listens on 127.0.0.1 only: the tunnel is for the person at this machine, not for their network. */
export async function openForward(
  client: Client,
  localPort: number,
  remoteHost: string,
  remotePort: number,
): Promise<Forward> {
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => socket.destroy());
    const from = socket.remoteAddress ?? "127.0.0.1";
    try {
      client.forwardOut(from, socket.remotePort ?? 0, remoteHost, remotePort, (error, channel) => {
        if (error !== undefined) {
          socket.destroy();
          return;
        }
        channel.on("error", () => socket.destroy());
        channel.on("close", () => socket.destroySoon());
        socket.on("close", () => channel.close());
        socket.pipe(channel).pipe(socket);
      });
    } catch {
      // The connection is over: to the local client this is a port that hangs up.
      socket.destroy();
    }
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen({ host: "127.0.0.1", port: localPort }, resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) {
          socket.destroy();
        }
      }),
  };
}
