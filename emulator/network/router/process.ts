/**
 * The process that lives in the network namespace of a cloud's router. A socket belongs to the namespace in which it was
 * made, so this one makes those that the emulator needs there and hands them over. It ends with the emulator.
 */
import * as net from "node:net";
import type { Order, Report } from "./messages";

const servers = new Map<number, net.Server>();

const report = (message: Report, socket?: net.Socket): void => {
  process.send?.(message, socket);
};

function connect(id: number, host: string, port: number): void {
  const socket = net.connect({ host, port, allowHalfOpen: true });
  // Not a byte is read here: all are for the emulator.
  socket.pause();
  socket.once("error", ({ message }) => report({ kind: "failed", id, message }));
  socket.once("connect", () => report({ kind: "connected", id }, socket));
}

function listen(host: string, port: number): void {
  const server = net.createServer({ pauseOnConnect: true, allowHalfOpen: true }, (socket) =>
    report({ kind: "accepted", port }, socket),
  );
  server.once("error", ({ message }) => report({ kind: "deaf", port, message }));
  server.listen({ host, port });
  servers.set(port, server);
}

process.on("message", (order: Order) => {
  switch (order.kind) {
    case "connect":
      connect(order.id, order.host, order.port);
      break;
    case "listen":
      listen(order.host, order.port);
      break;
    case "unlisten":
      servers.get(order.port)?.close();
      servers.delete(order.port);
      break;
  }
});
process.on("disconnect", () => process.exit(0));
report({ kind: "ready" });
